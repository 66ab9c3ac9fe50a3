"""Writing that survives a power cut, and files that are nobody else's business. All of it blocks."""

import errno
import os
import shutil
from pathlib import Path

_PRIVATE_FILE = 0o600
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NEARLY_FULL_BYTES = 2 * 1024 * 1024


def write_private(path: Path, content: bytes) -> None:
    """Replace a file as a whole, synced, readable by its owner alone."""
    aside = path.with_name(f"{path.name}.aside")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def disk_trouble(error: OSError) -> str:
    """Say in one sentence what the disk did not do, and what mends it where that is plain."""
    if error.errno in _FULL:
        return "The Bot Runner's disk is full; free some space on the device."
    where = f" '{error.filename}'" if error.filename else ""
    return f"The Bot Runner could not use its files{where}: {error.strerror or error}."


def is_nearly_full(folder: Path) -> bool:
    """Say whether the disk below a folder has hardly any room left."""
    try:
        return shutil.disk_usage(folder).free < NEARLY_FULL_BYTES
    except OSError:
        return False


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk: that files were made, renamed or removed in it."""
    if os.name == "nt":  # Windows keeps directory entries with the file
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
