"""The one form of an audit entry that its hash is taken of: it must come back from every database as it went in."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_LONGEST_TEXT = 4_000
_DEEPEST = 16
_WIDEST_BITS = 1024  # as the largest float; Python refuses to write much longer numbers
_UNSTORABLE = "\N{REPLACEMENT CHARACTER}"


def entry_hash(row: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hex, of an entry's fields as JSON with sorted keys, ASCII only and no blanks."""
    body = {name: value for name, value in row.items() if name != "hash"}
    moment: datetime = row["time"]
    body["time"] = moment.astimezone(UTC).isoformat()
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def clean_text(value: str, longest: int = _LONGEST_TEXT) -> str:
    """Return a text that every database can keep: no NUL, no half of a surrogate pair, not too long."""
    if "\0" in value or not _is_encodable(value):
        value = "".join(
            _UNSTORABLE if character == "\0" or "\ud800" <= character <= "\udfff" else character
            for character in value
        )
    return value if len(value) <= longest else value[: longest - 1] + "…"


def clean_detail(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Return a detail that `jsonb` and JSON text give back alike; raise `TypeError` for what is no JSON value.

    ``jsonb`` keeps numbers as decimals, so 1e22 would come back as an integer and -0.0 as 0: whole floats become
    integers here, and what JSON has no number for becomes text.
    """
    return _clean_mapping(detail, 0)


def _clean_mapping(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    cleaned: dict[str, Any] = {}
    for name, item in value.items():
        if not isinstance(name, str):
            raise TypeError(f"an audit detail has text as names, not {type(name).__name__}")
        cleaned[clean_text(name)] = _clean(item, depth + 1)
    return cleaned


def _clean(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(str(value))
    if isinstance(value, int | float):
        return _clean_number(value)
    return _clean_container(value, depth) if depth <= _DEEPEST else "…"


def _clean_container(value: Any, depth: int) -> dict[str, Any] | list[Any]:
    if isinstance(value, Mapping):
        return _clean_mapping(value, depth)
    if isinstance(value, set | frozenset):
        value = sorted(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_clean(item, depth + 1) for item in value]
    raise TypeError(f"an audit detail holds JSON values, not {type(value).__name__}")


def _clean_number(value: float) -> float | int | str:
    if isinstance(value, int):
        return int(value) if value.bit_length() <= _WIDEST_BITS else hex(value)[:_LONGEST_TEXT]
    if not math.isfinite(value):
        return str(value)
    return int(value) if value.is_integer() else value


def _is_encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
