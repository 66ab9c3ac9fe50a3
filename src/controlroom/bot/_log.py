"""The structured log: a text and some fields a line."""

from __future__ import annotations

import json
import time
from typing import Any

from controlroom.bot._channel import channel
from controlroom.bot._say import say

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_LARGEST_FIELDS = 16_384
_QUICK = (int, bool, type(None))
_QUICK_LENGTH = 200
"""Short texts and whole numbers are JSON as they are."""


class Log:
    """Writes log lines. A log never fails a bot: a field that is not JSON is kept as its text."""

    def debug(self, text: str, **fields: Any) -> None:
        """Say what only a developer wants to know."""
        _write("debug", text, fields)

    def info(self, text: str, **fields: Any) -> None:
        """Say what happened."""
        _write("info", text, fields)

    def warning(self, text: str, **fields: Any) -> None:
        """Say what someone should look at, though the bot goes on."""
        _write("warning", text, fields)

    def error(self, text: str, **fields: Any) -> None:
        """Say what went wrong."""
        _write("error", text, fields)


def _write(level: str, text: str, fields: dict[str, Any]) -> None:
    plain = _plain(fields) if fields else None
    if not channel.send("log", _LEVELS[level], time.time(), str(text), plain):
        shown = "".join(f" {name}={value!r}" for name, value in (plain or {}).items())
        say(f"{level:<7} {text}{shown}")


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    if all(
        type(value) in _QUICK or (type(value) is str and len(value) < _QUICK_LENGTH)
        for value in fields.values()
    ):
        return fields
    try:
        text = json.dumps(fields, default=str, allow_nan=False, skipkeys=True)
    except (TypeError, ValueError, RecursionError):
        fields = {name: str(value) for name, value in fields.items()}
        text = json.dumps(fields)
    if len(text) > _LARGEST_FIELDS:
        each = _LARGEST_FIELDS // max(1, len(fields))
        return {name: str(value)[:each] for name, value in fields.items()}
    plain: dict[str, Any] = json.loads(text)
    return plain
