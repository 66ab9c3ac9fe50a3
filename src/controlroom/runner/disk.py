"""Writing that survives a power cut, and files that are nobody else's business. All of it blocks."""

import os
from pathlib import Path

_PRIVATE_FILE = 0o600


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


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk: that files were made, renamed or removed in it."""
    if os.name == "nt":  # Windows keeps directory entries with the file
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
