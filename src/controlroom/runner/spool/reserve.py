"""Some room on the disk that an attempt keeps for its last words: what its bot writes cannot use it up. Blocks."""

import os
import shutil
import sys
from pathlib import Path
from typing import BinaryIO

RESERVE_BYTES = 512 * 1024
"""Holds the largest output that the SDK takes, the end, and some lines of the runner's own."""
_ROOM_FACTOR = 4
"""Log lines are kept again once so much more is free: a disk that is nearly full should not change its mind each line."""


class Reserve:
    """A file that is given up when the disk is full, so that what must be written can be."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "reserve"
        self.held = False

    def take(self) -> None:
        """Take the room; raise `OSError` where there is none."""
        try:
            with self._path.open("wb") as file:
                _fill(file)
        except OSError:
            self.give_up()
            raise
        self.held = True

    def give_up(self) -> None:
        """Let the room be used."""
        self.held = False
        self._path.unlink(missing_ok=True)

    def take_again(self) -> bool:
        """Take the room where the disk has plenty again; say whether it is held."""
        try:
            if shutil.disk_usage(self._path.parent).free >= RESERVE_BYTES * _ROOM_FACTOR:
                self.take()
        except OSError:
            return False
        return self.held


def _fill(file: BinaryIO) -> None:
    """Give a file its blocks, not a hole: the room itself is wanted."""
    if sys.platform == "linux":
        os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
    else:
        file.write(bytes(RESERVE_BYTES))
