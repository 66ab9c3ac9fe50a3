"""Begins a bot: a folder with what it takes to run, from one of the templates beside this file.

A template is a folder below ``templates``; each file ends with ``.txt``, which is taken off, and may hold ``$name``,
``$module`` and ``$title``. Adding a template is adding a folder.
"""

import re
import unicodedata
from pathlib import Path
from string import Template

from controlroom.bots.names import bot_name
from controlroom.foundation.errors import Conflict, FieldError, Invalid, Unavailable

TEMPLATES = Path(__file__).parent / "templates"
DEFAULT_TEMPLATE = "pep723"
_SUFFIX = ".txt"


class FolderNotEmpty(Conflict):
    """A bot is begun in a folder of its own, and this one holds something."""

    code = "folder_not_empty"
    title = "The folder is not empty"


def template_names() -> list[str]:
    """Name the templates there are."""
    return sorted(path.name for path in TEMPLATES.iterdir() if path.is_dir())


def begin_bot(folder: Path, template: str = DEFAULT_TEMPLATE) -> list[str]:
    """Write a new bot named as its folder; return the paths of its files, relative to it.

    Raises `FolderNotEmpty`, `Invalid` for a template that is not there and `NameInvalid` for a folder whose name
    cannot be a bot's; nothing is written then.
    """
    if template not in template_names():
        message = f"There is no format '{template}' to begin with; there are {', '.join(template_names())}."
        raise Invalid(message, fields=(FieldError("/format", message),))
    name = bot_name(folder.resolve().name)
    words = {"name": name, "module": module_name(name), "title": name.replace("-", " ").replace("_", " ")}
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise FolderNotEmpty(f"{folder} holds something already; choose another name for the new bot.")
        return [
            _write(folder, source, TEMPLATES / template, words) for source in _files(TEMPLATES / template)
        ]
    except OSError as error:
        raise Unavailable(f"{folder} cannot be written: {error.strerror}.") from None


def module_name(name: str) -> str:
    """Return a bot's name as that of a Python module, such as ``monthly_report``."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    cleaned = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return cleaned if cleaned.isidentifier() else f"bot_{cleaned}".rstrip("_")


def _files(template: Path) -> list[Path]:
    return sorted(path for path in template.rglob(f"*{_SUFFIX}") if path.is_file())


def _write(folder: Path, source: Path, template: Path, words: dict[str, str]) -> str:
    relative = Template(source.relative_to(template).as_posix().removesuffix(_SUFFIX)).substitute(words)
    target = folder / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(Template(source.read_text(encoding="utf-8")).substitute(words), encoding="utf-8")
    return relative
