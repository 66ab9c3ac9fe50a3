"""Who this runner is: its state folder, the key by which the Control Room knows it, and that only one runner uses both."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from controlroom.foundation.errors import Conflict, Invalid, NotFound, Unavailable
from controlroom.runner.disk import write_private

STATE_VARIABLE = "CONTROLROOM_RUNNER_STATE"
_IDENTITY_FILE = "identity.json"
_LOCK_FILE = "runner.lock"
_PRIVATE_FOLDER = 0o700


class Identity(msgspec.Struct, frozen=True):
    """What joining gave. ``key`` is a secret; the file that holds it is readable by its owner alone."""

    url: str
    device_id: str
    device_name: str
    key: str
    slots: int = 1
    labels: tuple[str, ...] = ()


class NotJoined(NotFound):
    """The state folder holds no runner's identity."""

    code = "not_joined"
    title = "This machine has not joined a Control Room"


class AlreadyRunning(Conflict):
    """Another process is the runner of this state folder."""

    code = "runner_already_running"
    title = "A Bot Runner already runs here"


def default_state_folder() -> Path:
    """Return where a user's runner keeps its state: CONTROLROOM_RUNNER_STATE, or the place the system has for it."""
    if chosen := os.environ.get(STATE_VARIABLE):
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return base / "controlroom" / "runner"


def make_state_folder(folder: Path) -> None:
    """Make the state folder, closed to other users; raise `Unavailable` where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_FOLDER)
        folder.chmod(_PRIVATE_FOLDER)
    except OSError as error:
        raise Unavailable(
            f"The state folder {folder} cannot be used: {error.strerror}. Choose another with --state."
        ) from None


def has_identity(folder: Path) -> bool:
    """Say whether a runner has joined with this state folder."""
    return (folder / _IDENTITY_FILE).exists()


def load_identity(folder: Path) -> Identity:
    """Read the runner's identity; raise `NotJoined`, or `Invalid` where the file is damaged."""
    path = folder / _IDENTITY_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Identity)
    except FileNotFoundError:
        raise NotJoined(
            f"There is no runner in {folder}. Join first: controlroom runner join URL --token TOKEN"
        ) from None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Invalid(f"{path} is damaged. Remove it and join anew with a fresh token.") from None


def save_identity(folder: Path, identity: Identity) -> None:
    """Write the identity as a whole or not at all, readable by its owner alone."""
    make_state_folder(folder)
    write_private(folder / _IDENTITY_FILE, msgspec.json.format(msgspec.json.encode(identity)))


def remove_identity(folder: Path) -> None:
    """Forget the runner's identity and key."""
    (folder / _IDENTITY_FILE).unlink(missing_ok=True)


@contextmanager
def hold_state_folder(folder: Path) -> Iterator[None]:
    """Be the one runner of a state folder for the length of the block; raise `AlreadyRunning`.

    The operating system frees the lock when the process ends, in whatever way.
    """
    from controlroom.runner.platform import current_platform

    make_state_folder(folder)
    lock = current_platform().lock_file(folder / _LOCK_FILE, shared=False)
    if lock is None:
        raise AlreadyRunning(
            f"Another process runs the Bot Runner of {folder}. Stop that one, or start this one with another --state."
        )
    try:
        yield
    finally:
        lock.release()


def is_held(folder: Path) -> bool:
    """Say whether a runner of this state folder runs now."""
    if not (folder / _LOCK_FILE).exists():
        return False
    try:
        with hold_state_folder(folder):
            return False
    except AlreadyRunning:
        return True
