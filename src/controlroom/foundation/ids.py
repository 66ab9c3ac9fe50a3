"""Ids that tell what they name and sort by the moment they were made."""

import re
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_BITS = 48
_RANDOM_BITS = 80
_BODY_LENGTH = 26

ID_LENGTH = 32
"""Columns that hold an id are this wide: a prefix of up to five letters, an underscore and 26 characters."""

_ID = re.compile(rf"^[a-z]{{2,5}}_[{_ALPHABET}]{{{_BODY_LENGTH}}}$")


def new_id(prefix: str) -> str:
    """Return a new id such as ``run_01jdq3v0t8k2w9c5m7x4n6p1ha``.

    The body is a ULID in lower case: 48 bits of milliseconds since 1970, then 80 random bits, in Crockford's
    base 32 (https://github.com/ulid/spec). Ids of one process sort by time to the millisecond.
    """
    milliseconds = time.time_ns() // 1_000_000
    number = (milliseconds << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    body = "".join(
        _ALPHABET[(number >> shift) & 31] for shift in range(_TIME_BITS + _RANDOM_BITS + 2 - 5, -1, -5)
    )
    return f"{prefix}_{body}"


def is_id(value: str, prefix: str) -> bool:
    """Say whether a text has the form of an id with this prefix."""
    return value.startswith(f"{prefix}_") and _ID.fullmatch(value) is not None


def new_secret(prefix: str) -> str:
    """Return a new secret such as ``crk_...``: 256 random bits after a prefix that secret scanners can know."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"
