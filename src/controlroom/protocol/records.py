"""The log's form on the wire and at rest: small arrays, so that a line costs little."""

from enum import IntEnum, StrEnum

import msgspec


class Level(IntEnum):
    """How weighty a log line is; the numbers order them."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


class Stream(StrEnum):
    """Where a line came from."""

    STDOUT = "out"
    STDERR = "err"
    LOG = "log"
    """The bot's structured log, through the SDK."""
    SYSTEM = "sys"
    """The runner's own words on the attempt."""


class LogRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One line. ``time`` is Unix time in seconds; ``fields`` are those of a structured line."""

    time: float
    stream: Stream
    level: Level
    text: str
    fields: dict[str, msgspec.Raw] | None = None


MAXIMUM_LINE_CHARACTERS = 16_384
"""A longer line is cut by the runner, which says so at its end."""

MAXIMUM_BATCH_RECORDS = 2_000
MAXIMUM_BATCH_BYTES = 512 * 1024
