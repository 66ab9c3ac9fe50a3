"""One record of a spool file: a checked header and the report exactly as it goes over the wire.

Header, little endian: payload length (u32), CRC-32 of all that follows (u32), report number (u64), how many
consecutive numbers it stands for (u32), log lines (u32), kind (u8). The header tells all that sending needs, so that a
payload is never decoded on its way from the bot to the Control Room; only what gives way is looked into, for its times.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO

_HEADER = struct.Struct("<IIQIIB")
_CHECKED = struct.Struct("<QIIB")  # what the CRC covers of the header
_TIMES = struct.Struct("<dd")
HEADER_BYTES = _HEADER.size

MAXIMUM_PAYLOAD_BYTES = 8 * 1024 * 1024
"""Twice the largest wire frame; a longer length in a header is damage, not data."""


class Kind(IntEnum):
    """What a record is, as far as sending and folding care."""

    STATE = 0
    LOG = 1
    PROGRESS = 2
    OUTPUT = 3
    ARTIFACT = 4
    GAP = 5
    """Stands for numbers whose reports gave way; its payload is the `times` of their lines, or nothing."""
    ENDED = 6


Times = tuple[float, float]
"""Unix seconds of the first and the last of some lines."""


def packed_times(times: Times | None) -> bytes:
    """Return times as the payload of a gap."""
    return b"" if times is None else _TIMES.pack(*times)


@dataclass(frozen=True, slots=True)
class Frame:
    """A record. ``span`` is 1 except for a gap, which stands for ``number`` up to ``number + span - 1``.

    The lines of a gap belong to its last number, so that a gap which grows while it is being delivered counts them once.
    """

    number: int
    kind: Kind
    payload: bytes
    lines: int = 0
    span: int = 1

    @property
    def last(self) -> int:
        """The last number that the record stands for."""
        return self.number + self.span - 1

    @property
    def times(self) -> "Times | None":
        """The times of the first and last line that a gap stands for, None where they are not known."""
        if self.kind is not Kind.GAP or len(self.payload) != _TIMES.size:
            return None
        first, last = _TIMES.unpack(self.payload)
        return first, last

    @property
    def size(self) -> int:
        """Bytes that the record takes on disk."""
        return HEADER_BYTES + len(self.payload)


def header(frame: Frame) -> bytes:
    """Return the header that is written before the frame's payload."""
    checked = _CHECKED.pack(frame.number, frame.span, frame.lines, frame.kind)
    crc = zlib.crc32(frame.payload, zlib.crc32(checked))
    return _HEADER.pack(len(frame.payload), crc, frame.number, frame.span, frame.lines, frame.kind)


def read_frames(file: BinaryIO) -> Iterator[tuple[int, Frame]]:
    """Give each sound frame from where the file stands, with its size; stop at the first that is torn or damaged."""
    while len(head := file.read(HEADER_BYTES)) == HEADER_BYTES:
        length, crc, number, span, lines, kind = _HEADER.unpack(head)
        if length > MAXIMUM_PAYLOAD_BYTES or span < 1 or kind > Kind.ENDED:
            return
        payload = file.read(length)
        if zlib.crc32(payload, zlib.crc32(_CHECKED.pack(number, span, lines, kind))) != crc:
            return
        yield HEADER_BYTES + length, Frame(number, Kind(kind), payload, lines, span)
