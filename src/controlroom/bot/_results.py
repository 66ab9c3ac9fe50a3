"""What a bot hands back: outputs, progress, or the reason why it cannot do its work."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, MutableMapping
from typing import Any, NoReturn

from controlroom.bot._channel import channel, checked_json
from controlroom.bot._say import say

LARGEST_OUTPUT_BYTES = 256 * 1024


class Outputs(MutableMapping[str, Any]):
    """The outputs of this run: names to JSON values."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def set(self, name: str, value: Any) -> None:
        """Set an output; the last value counts.

        Raises TypeError for a value that is not JSON and ValueError for one above 256 KB, which belongs in an
        artifact.
        """
        if not isinstance(name, str) or not name:
            raise TypeError(f"The name of an output must be a text that is not empty, not {name!r}")
        plain = checked_json(f"output {name!r}", value)
        size = len(json.dumps(plain))
        if size > LARGEST_OUTPUT_BYTES:
            raise ValueError(
                f"output {name!r} has {size:,} bytes, more than {LARGEST_OUTPUT_BYTES:,}: store it with bot.artifact()"
            )
        self._values[name] = plain
        if not channel.send("output", name, plain):
            say(f"output  {name} = {plain!r}")

    def __setitem__(self, name: str, value: Any) -> None:
        self.set(name, value)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __delitem__(self, name: str) -> None:
        raise TypeError("An output that was set cannot be taken back; set it to None instead")

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)


def progress(fraction: float | None, message: str = "") -> None:
    """Say how far the bot is: ``fraction`` from 0 to 1 (cut to that), or None where it cannot be told."""
    if fraction is not None:
        if isinstance(fraction, bool) or not isinstance(fraction, (int, float)) or math.isnan(fraction):
            raise TypeError(f"progress takes a number from 0 to 1, or None, not {fraction!r}")
        fraction = min(1.0, max(0.0, float(fraction)))
    if not channel.send("progress", fraction, str(message)):
        share = "  ... " if fraction is None else f"{fraction:6.1%}"
        say(f"{share} {message}".rstrip())


class Failed(Exception):
    """The work cannot be done for a reason of the business, not a fault of the bot."""


def fail(reason: str) -> NoReturn:
    """End the bot as failed for a reason that a person will read; no traceback is shown.

    Raises `Failed`, so that ``finally`` blocks run.
    """
    raise Failed(str(reason))
