"""Reads from a certificate how long it is valid (RFC 5280, 4.1.2.5): Python's ssl tells it of trusted ones only."""

from contextlib import suppress
from datetime import UTC, datetime

from controlroom.network.probes.ber import SEQUENCE, elements, within

_UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x17, 0x18, 0xA0


def validity(certificate: bytes) -> tuple[datetime | None, datetime | None]:
    """Return begin and end of a DER certificate's validity, none where they cannot be read."""
    with suppress(ValueError, IndexError):
        to_be_signed = next(iter(within(certificate, SEQUENCE)))[1]
        fields = [field for field in elements(to_be_signed) if field[0] != _VERSION]
        # Serial number, signature and issuer go before.
        begin, end = elements(fields[3][1])
        return _time(*begin), _time(*end)
    return None, None


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        # Two digits: 50 to 99 are of the last century (RFC 5280, 4.1.2.5.1).
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("not a time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
