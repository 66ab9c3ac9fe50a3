"""Kerberos messages for a greeting: a request for a ticket of nobody, and its refusal (RFC 4120, 5.4 and 5.9)."""

import secrets
from datetime import UTC, datetime, timedelta

from controlroom.network.probes.ber import (
    INTEGER,
    SEQUENCE,
    elements,
    encode,
    encode_integer,
    read_integer,
    within,
)
from controlroom.network.probes.errors import NotThisProtocol

_AS_REQ, _AS_REP, _ERROR = 0x6A, 0x6B, 0x7E
_VERSION, _KIND_AS_REQ, _KIND_ERROR = 5, 10, 30
_GENERAL_STRING, _GENERALIZED_TIME, _BIT_STRING = 0x1B, 0x18, 0x03
_PRINCIPAL, _SERVICE_INSTANCE = 1, 2
_REALM, _NOBODY = b"CONTROLROOM.PROBE", b"controlroom-probe"
# aes256-cts-hmac-sha1-96 and aes128 (RFC 3962), and their successors with SHA-2 (RFC 8009).
_ENCRYPTIONS = (18, 17, 20, 19)
_FAR_AWAY = b"20370913024805Z"
# RFC 4120, 5.2.9; more is refused by servers by default.
LARGEST_SKEW_SECONDS = 300
_ERROR_WORDS = {
    6: "does not know the user",
    7: "does not know the realm's own service",
    25: "wants pre-authentication",
    37: "says that the clocks are too far apart",
    52: "wants TCP for a long answer",
    68: "says that this is another realm",
}
_UNKNOWN_USER = 6


def request() -> bytes:
    """Return a request for a ticket for a user and a realm that no server should know."""
    body = encode(
        SEQUENCE,
        _field(0, encode(_BIT_STRING, bytes(5))),
        _field(1, _principal(_PRINCIPAL, _NOBODY)),
        _field(2, encode(_GENERAL_STRING, _REALM)),
        _field(3, _principal(_SERVICE_INSTANCE, b"krbtgt", _REALM)),
        _field(5, encode(_GENERALIZED_TIME, _FAR_AWAY)),
        _field(7, encode_integer(secrets.randbits(31))),
        _field(8, encode(SEQUENCE, *(encode_integer(one) for one in _ENCRYPTIONS))),
    )
    whole = encode(
        SEQUENCE,
        _field(1, encode_integer(_VERSION)),
        _field(2, encode_integer(_KIND_AS_REQ)),
        _field(4, body),
    )
    return encode(_AS_REQ, whole)


def read_answer(data: bytes, now: datetime) -> str:
    """Say what a server answered, and how far its clock is off; raise `NotThisProtocol`."""
    try:
        if data[:1] == bytes((_AS_REP,)):
            list(elements(within(data, _AS_REP)[0][1]))
            return "Kerberos, hands out a ticket to a user that should not exist"
        return _read_error(data, now)
    except (ValueError, IndexError, KeyError) as error:
        raise NotThisProtocol(f"answered with what is no Kerberos: {error}") from None


def _read_error(data: bytes, now: datetime) -> str:
    (tag, content), *more = within(data, _ERROR)
    if tag != SEQUENCE or more:
        raise ValueError("no error message")
    fields = {place & 0x1F: content for place, content in elements(content)}
    if _number(fields[0]) != _VERSION or _number(fields[1]) != _KIND_ERROR:
        raise ValueError("no error message of version 5")
    ((time_tag, time),) = elements(fields[4])
    if time_tag != _GENERALIZED_TIME:
        raise ValueError("no time in the error message")
    there = datetime.strptime(time.decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    there += timedelta(microseconds=min(_number(fields[5]), 999_999))
    code = _number(fields[6])
    skew = (now - there).total_seconds()
    warning = "" if abs(skew) < LARGEST_SKEW_SECONDS else ": too far for Kerberos, set one of the clocks"
    words = _ERROR_WORDS.get(code, f"answers with error {code}")
    return f"Kerberos, {words}; this clock is {skew:+.1f} s off the server's{warning}"


def error_message(now: datetime) -> bytes:
    """Return the error that a server gives which does not know the user."""
    content = encode(
        SEQUENCE,
        _field(0, encode_integer(_VERSION)),
        _field(1, encode_integer(_KIND_ERROR)),
        _field(4, encode(_GENERALIZED_TIME, now.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode())),
        _field(5, encode_integer(now.microsecond)),
        _field(6, encode_integer(_UNKNOWN_USER)),
        _field(9, encode(_GENERAL_STRING, _REALM)),
        _field(10, _principal(_SERVICE_INSTANCE, b"krbtgt", _REALM)),
    )
    return encode(_ERROR, content)


def _field(number: int, content: bytes) -> bytes:
    return encode(0xA0 | number, content)


def _principal(kind: int, *names: bytes) -> bytes:
    parts = encode(SEQUENCE, *(encode(_GENERAL_STRING, name) for name in names))
    return encode(SEQUENCE, _field(0, encode_integer(kind)), _field(1, parts))


def _number(content: bytes) -> int:
    ((tag, number),) = elements(content)
    if tag != INTEGER:
        raise ValueError("no number where one should be")
    return read_integer(number)
