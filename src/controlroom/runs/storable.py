"""Makes what came over the wire fit for every database and for JSON: a runner's odd value must never hold up its reports."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from controlroom.protocol.messages import DeviceFacts
from controlroom.protocol.records import LogRecord

LATEST_TIME = 253_402_300_799.0
"""The last second of the year 9999, in Unix time: what a date can show."""
_LARGEST_INTEGER = 2**63 - 1
_INT32 = 2**32


def storable_text(value: str, length: int) -> str:
    """Cut a text to its column, without the NUL that PostgreSQL cannot keep."""
    return value.replace("\x00", "\ufffd")[:length]


def storable_value(value: Any) -> Any:
    """Make a value that every database can keep as JSON of one that came over the wire."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, list | tuple):
        return [storable_value(item) for item in value]
    if isinstance(value, dict):
        return {storable_value(str(key)): storable_value(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return (
        value if value is None or isinstance(value, bool | int | float) else storable_text(str(value), 2_000)
    )


def storable_number(value: float, *, largest: float = _LARGEST_INTEGER) -> float:
    """Bring a number between 0 and the largest; what is no number becomes 0."""
    return 0.0 if math.isnan(value) else min(max(value, 0), largest)


def storable_exit_code(code: int | None) -> int | None:
    """Return an exit code as a signed 32-bit number, as Windows' codes above 0x7FFFFFFF are often shown too."""
    return None if code is None else (code + _INT32 // 2) % _INT32 - _INT32 // 2


def storable_records(records: Sequence[LogRecord]) -> Sequence[LogRecord]:
    """Return log lines whose times a date can show; the lines themselves where all are so, which is nearly always."""
    if all(0 <= record.time <= LATEST_TIME for record in records):  # false for what is no number too
        return records
    return [
        msgspec.structs.replace(record, time=storable_number(record.time, largest=LATEST_TIME))
        for record in records
    ]


def storable_facts(facts: DeviceFacts) -> DeviceFacts:
    """Return what a runner says of its machine as a database can keep it."""
    return msgspec.convert(storable_value(msgspec.to_builtins(facts)), DeviceFacts)
