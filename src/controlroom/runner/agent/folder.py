"""Where an attempt lies on disk. A folder that exists says that the attempt was begun and is never begun again."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec

from controlroom.foundation.errors import Invalid
from controlroom.protocol.plan import AttemptPlan
from controlroom.runner.disk import sync_folder, write_private
from controlroom.runner.input_files import INPUT_FILES

_PLAN_FILE = "plan.msgpack"
_NEW = ".new"
_ATTEMPT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class AttemptFolder:
    """Paths of one attempt."""

    root: Path

    @property
    def spool(self) -> Path:
        """The reports that are to be delivered."""
        return self.root / "spool"

    @property
    def artifacts(self) -> Path:
        """Copies of files that are to be stored."""
        return self.root / "artifacts"

    @property
    def workspace(self) -> Path:
        """The bot's own working folder."""
        return self.root / "workspace"

    @property
    def input_files(self) -> Path:
        """The files among the inputs, where the bot finds them."""
        return self.workspace / INPUT_FILES

    def read_plan(self) -> AttemptPlan | None:
        """Return the plan, or None where it cannot be read."""
        try:
            return msgspec.msgpack.decode((self.root / _PLAN_FILE).read_bytes(), type=AttemptPlan)
        except (OSError, msgspec.MsgspecError):
            return None

    def remove(self) -> None:
        """Delete all that is left of the attempt. Blocking."""
        shutil.rmtree(self.root, ignore_errors=True)


def create_folder(attempts: Path, plan: AttemptPlan) -> AttemptFolder | None:
    """Make an attempt's folder, on the disk itself when this returns; None where it exists. Blocking.

    Raises `Invalid` for an id that cannot name a folder.
    """
    if not _ATTEMPT_ID.fullmatch(plan.attempt_id):
        raise Invalid(f"'{plan.attempt_id[:80]}' is no attempt's id.")
    folder = AttemptFolder(attempts / plan.attempt_id)
    if folder.root.exists():
        return None
    aside = attempts / f"{plan.attempt_id}{_NEW}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True, mode=0o700)
    (aside / folder.workspace.name).mkdir(mode=0o700)
    write_private(aside / _PLAN_FILE, msgspec.msgpack.encode(plan))
    aside.rename(folder.root)
    sync_folder(attempts)
    return folder


def remove_folder(attempts: Path, attempt_id: str) -> None:
    """Delete what there is of an attempt that could not be begun. Blocking."""
    if _ATTEMPT_ID.fullmatch(attempt_id):
        for name in (attempt_id, f"{attempt_id}{_NEW}"):
            shutil.rmtree(attempts / name, ignore_errors=True)


def existing_folders(attempts: Path) -> list[AttemptFolder]:
    """Return the folders of attempts that an earlier process began; half-made ones are removed. Blocking."""
    attempts.mkdir(parents=True, exist_ok=True, mode=0o700)
    found: list[AttemptFolder] = []
    for path in sorted(attempts.iterdir()):
        if path.suffix == _NEW:
            shutil.rmtree(path, ignore_errors=True)
        elif path.is_dir():
            found.append(AttemptFolder(path))
    return found
