"""The Control Room that this user's commands speak with, kept in a file that only they can read."""

import os
import stat
import sys
from pathlib import Path

import msgspec

from controlroom.foundation.errors import Invalid, Unavailable

PROFILE_VARIABLE = "CONTROLROOM_PROFILE"
_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Profile(msgspec.Struct, frozen=True):
    """Where the Control Room is and the API key for it; the key is left out of what is printed of it."""

    url: str
    api_key: str

    def __repr__(self) -> str:
        return f"Profile(url={self.url!r})"


def profile_path() -> Path:
    """Return where the profile is kept: CONTROLROOM_PROFILE, or the place that the system has for it."""
    if chosen := os.environ.get(PROFILE_VARIABLE):
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "controlroom" / "profile.json"


def save_profile(url: str, api_key: str) -> Path:
    """Keep address and key for the commands to come, in place of what was kept; return the file.

    The file is made with mode 0600 and renamed into place, so that the key is at no moment readable by others.
    Raises `Unavailable` where it cannot be written.
    """
    path = profile_path()
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    content = msgspec.json.format(msgspec.json.encode(Profile(url.rstrip("/"), api_key)), indent=2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_FOLDER)
        aside.unlink(missing_ok=True)
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE)
        with open(descriptor, "wb") as file:
            file.write(content + b"\n")
        os.replace(aside, path)
    except OSError as error:
        raise Unavailable(
            f"The profile {path} cannot be written: {error.strerror}. Name another file with {PROFILE_VARIABLE}."
        ) from None
    return path


def load_profile() -> Profile | None:
    """Return what is kept, None where nothing is; raise `Invalid` for a file that is damaged or open to others."""
    path = profile_path()
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(f"The profile {path} cannot be read: {error.strerror}.") from None
    if os.name == "posix" and mode & _OTHERS:
        raise Invalid(
            f"Others may read the API key in {path}. Run 'chmod 600 {path}', and 'controlroom login' for a new key."
        )
    try:
        return msgspec.json.decode(content, type=Profile)
    except msgspec.MsgspecError:
        raise Invalid(f"The profile {path} is damaged; run 'controlroom login' to make it anew.") from None


def forget_profile() -> bool:
    """Remove what is kept; say whether there was anything."""
    try:
        profile_path().unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Unavailable(f"The profile {profile_path()} cannot be removed: {error.strerror}.") from None
    return True
