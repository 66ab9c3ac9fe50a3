"""The way from a bot to its runner: JSON lines into an inherited pipe, a named pipe on Windows.

``CONTROLROOM_CHANNEL`` holds ``number:device:inode`` of the descriptor, so that a program the bot starts, which
inherits the variable but not the pipe, never writes into whatever has that number there. On Windows it holds the
pipe's path. Lines up to PIPE_BUF (4096 bytes on Linux) stay whole even when several processes of a bot write at once.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
from typing import Any

LARGEST_MESSAGE_BYTES = 1024 * 1024
"""A longer line would not be taken by the runner."""

_INTEGER_LIMITS = (-(2**63), 2**64)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_VARIABLE = "CONTROLROOM_CHANNEL"


class Channel:
    """Writes whole lines; whoever reads may be gone, which a bot must not notice."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._opened_from = ""
        self._descriptor = -1
        self._cut = False

    def send(self, kind: str, *values: object) -> bool:
        """Send one message; False where there is no runner to take it."""
        line = _encode([kind, *values]).encode("utf-8", "replace") + b"\n"
        with self._lock:
            descriptor = self._open()
            if descriptor < 0:
                return False
            if self._cut:
                line = b"\n" + line
            self._cut = True
            try:
                while line:
                    line = line[os.write(descriptor, line) :]
            except OSError:
                self._descriptor = -1
                return False
            self._cut = False
        return True

    def forget_locks(self) -> None:
        """Make the lock anew in a forked process, where the thread that held it does not exist."""
        self._lock = threading.RLock()

    def _open(self) -> int:
        address = os.environ.get(_VARIABLE, "")
        if address != self._opened_from:
            self._opened_from = address
            self._descriptor = _open(address)
        return self._descriptor


def checked_json(what: str, value: Any) -> Any:
    """Return the value as JSON has it; raise TypeError that says where it is not JSON.

    Integers must fit 64 bits, since the wire format holds no larger ones.
    """
    try:
        plain = json.loads(json.dumps(value, allow_nan=False))
    except RecursionError:
        raise TypeError(f"{what} is nested too deeply, or holds itself") from None
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} is not a JSON value: {error}") from None
    _check_integers(what, plain)
    return plain


def _check_integers(what: str, value: Any) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            _check_integers(f"{what}[{name!r}]", item)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            _check_integers(f"{what}[{position}]", item)
    elif isinstance(value, int) and not _INTEGER_LIMITS[0] <= value < _INTEGER_LIMITS[1]:
        raise TypeError(f"{what} is an integer of more than 64 bits; give it as text")


def _open(address: str) -> int:
    try:
        if not address:
            return -1
        if sys.platform == "win32":
            descriptor = os.open(address, os.O_WRONLY | os.O_BINARY)
        else:
            descriptor = _inherited(address)
    except (OSError, ValueError):
        return -1
    return descriptor


def _inherited(address: str) -> int:
    """Return the descriptor of the address where it still is the pipe that the runner opened."""
    number, device, inode = (int(part) for part in address.split(":"))
    found = os.fstat(number)
    same = stat.S_ISFIFO(found.st_mode) and (found.st_dev, found.st_ino) == (device, inode)
    return number if same else -1


channel = Channel()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=channel.forget_locks)
