"""Where each entry of a zip lies in the file, and whether that and its data agree with the zip's directory.

What one tool reads, every tool must read: no shared bytes, no bytes between entries, no header that says something else
than the directory. Structure: PKWARE APPNOTE.TXT 6.3.10, sections 4.3 and 4.4.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from controlroom.bots.errors import NotAZip
from controlroom.bots.files import CHUNK_BYTES

_FLAG_SIZES_FOLLOW = 0x0008
FLAG_UTF8 = 0x0800
FLAGS_TAKEN = 0x0006 | _FLAG_SIZES_FOLLOW | FLAG_UTF8
"""How strongly deflate worked, and the two above (APPNOTE 4.4.4)."""

_LOCAL = struct.Struct("<4s5H3L2H")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_LONGEST_DESCRIPTOR = 24
_EXTRA_ZIP64 = 0x0001


@dataclass(frozen=True, slots=True)
class Span:
    """Where an entry lies in the file: its header begins, its data begins and ends, all of it ends."""

    entry: zipfile.ZipInfo
    start: int
    data: int
    data_end: int
    end: int


def span_of(raw: IO[bytes], entry: zipfile.ZipInfo, directory: int) -> Span:
    """Read an entry's local header and hold it against the directory (APPNOTE 4.3.7); raise `NotAZip` where they differ.

    ``directory`` is the offset of the directory in bytes.
    """
    raw.seek(entry.header_offset)
    header = raw.read(_LOCAL.size)
    if len(header) < _LOCAL.size or not header.startswith(_LOCAL_SIGNATURE):
        raise NotAZip("its data is not where the directory says", entry=entry.filename)
    _, _, flags, method, _, _, crc, packed, unpacked, name_length, extra_length = _LOCAL.unpack(header)
    name = raw.read(name_length)
    extra = raw.read(extra_length)
    try:
        local_name = name.decode("utf-8" if flags & FLAG_UTF8 else "cp437")
    except UnicodeDecodeError:
        local_name = ""
    agrees = local_name == entry.orig_filename and method == entry.compress_type
    if not flags & _FLAG_SIZES_FOLLOW and not _is_zip64(extra):
        agrees = agrees and (crc, packed, unpacked) == (entry.CRC, entry.compress_size, entry.file_size)
    if not agrees or flags & ~FLAGS_TAKEN:
        raise NotAZip("its header says something else than the package's directory", entry=entry.filename)
    data = entry.header_offset + _LOCAL.size + name_length + extra_length
    data_end = data + entry.compress_size
    if data_end > directory:
        raise NotAZip("its data reaches beyond its place in the package", entry=entry.filename)
    raw.seek(data_end)
    end = data_end + _descriptor_bytes(raw.read(_LONGEST_DESCRIPTOR), entry, flags)
    return Span(entry, entry.header_offset, data, data_end, end)


def _descriptor_bytes(behind: bytes, entry: zipfile.ZipInfo, flags: int) -> int:
    """Return the length of the record with the sizes behind an entry's data (APPNOTE 4.3.9), 0 where there is none.

    It comes with or without a signature, and with sizes of 4 or of 8 bytes; the one that says the truth is meant.
    """
    if not flags & _FLAG_SIZES_FOLLOW:
        return 0
    for start in (b"PK\x07\x08", b""):
        for form in ("<LLL", "<LQQ"):
            told = start + struct.pack(form, entry.CRC, entry.compress_size, entry.file_size)
            if behind.startswith(told):
                return len(told)
    raise NotAZip("the sizes behind its data are not those of the package's directory", entry=entry.filename)


def _is_zip64(extra: bytes) -> bool:
    return len(extra) >= 4 and struct.unpack_from("<H", extra)[0] == _EXTRA_ZIP64


def check_layout(spans: Sequence[Span], directory: int) -> None:
    """Raise `NotAZip` where entries share bytes, or bytes belong to none."""
    end, before = 0, ""
    for span in sorted(spans, key=lambda span: span.start):
        if span.start < end:
            raise NotAZip(f"shares bytes with '{before}', as a zip bomb does", entry=span.entry.filename)
        if span.start > end:
            raise NotAZip("bytes that belong to no entry lie before it", entry=span.entry.filename)
        end, before = span.end, span.entry.filename
    if end != directory:
        raise NotAZip("bytes that belong to no entry lie behind it", entry=before)


def check_content(raw: IO[bytes], span: Span) -> None:
    """Unpack an entry once, keeping nothing; raise `NotAZip` where length or checksum are not the directory's."""
    name, size, checksum = span.entry.filename, 0, 0
    try:
        for piece in _unpacked(raw, span):
            size += len(piece)
            checksum = zlib.crc32(piece, checksum)
            if size > span.entry.file_size:
                raise NotAZip("unpacks to more than the directory says", entry=name)
    except zlib.error as error:
        raise NotAZip(f"cannot be unpacked: {error}", entry=name) from None
    if size != span.entry.file_size or checksum != span.entry.CRC:
        raise NotAZip("does not unpack to what the directory says", entry=name)


def _unpacked(raw: IO[bytes], span: Span) -> Iterator[bytes]:
    raw.seek(span.data)
    deflated = span.entry.compress_type == zipfile.ZIP_DEFLATED
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    left = span.data_end - span.data
    while left:
        packed = raw.read(min(left, CHUNK_BYTES))
        if not packed:
            raise NotAZip("its data ends early", entry=span.entry.filename)
        left -= len(packed)
        if not deflated:
            yield packed
            continue
        piece = unpack.decompress(packed, CHUNK_BYTES)
        yield piece
        while unpack.unconsumed_tail or len(piece) == CHUNK_BYTES:
            piece = unpack.decompress(unpack.unconsumed_tail, CHUNK_BYTES)
            yield piece
    if deflated and (not unpack.eof or unpack.unused_data):
        raise NotAZip("its data does not end where the directory says", entry=span.entry.filename)
