"""Files that are kept with the run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Union

from controlroom.bot._channel import channel
from controlroom.bot._say import say

_LONGEST_NAME = 255


def artifact(path: Union[str, os.PathLike[str]], name: str | None = None) -> None:  # noqa: UP007  # evaluated by Python 3.9
    """Keep a file with the run, as it is now, under ``name`` or its own name; a later one of that name replaces it.

    Raises FileNotFoundError for a file that is not there and ValueError for a name with a path in it.
    """
    source = Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"{source} is not a file that could be kept as an artifact")
    chosen = _checked_name(source.name if name is None else name)
    kept = _keep(source, chosen)
    if kept is None or not channel.send("artifact", str(kept), chosen):
        say(f"artifact {chosen}: {source} ({source.stat().st_size:,} bytes)")


def _checked_name(name: str) -> str:
    cleaned = name.strip()
    if not cleaned or cleaned in {".", ".."} or any(sign in cleaned for sign in "/\\\0"):
        raise ValueError(f"{name!r} cannot be an artifact's name: give a plain file name without a folder")
    if len(cleaned.encode("utf-8", "replace")) > _LONGEST_NAME:
        raise ValueError(f"The artifact's name has more than {_LONGEST_NAME} bytes: {name[:40]!r}...")
    return cleaned


def _keep(source: Path, name: str) -> Path | None:
    """Copy the file to the run's artifact folder, so that a temporary one may go at once."""
    folder = os.environ.get("CONTROLROOM_ARTIFACTS", "")
    if not folder:
        return None
    target = Path(folder) / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and target.samefile(source):
        return target
    aside = target.with_name(f".{name[:200]}.{os.getpid()}.part")
    shutil.copyfile(source, aside)
    os.replace(aside, target)
    return target
