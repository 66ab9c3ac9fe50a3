"""Makes packages for tests: folders from texts, and zips as an honest or a hostile tool would write them."""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controlroom.bots.files import FolderFiles


def folder_of(folder: Path, texts: Mapping[str, str | bytes]) -> FolderFiles:
    """Write files and return them as a package's files."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return FolderFiles(folder, list(texts))


def zip_of(texts: Mapping[str, str | bytes]) -> bytes:
    """Return a zip as an honest tool writes it; the same texts give the same bytes at any time."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return target.getvalue()


@dataclass
class RawEntry:
    """An entry of which every field may lie; None means the true value."""

    name: bytes
    content: bytes = b"x"
    method: int = zipfile.ZIP_DEFLATED
    flags: int = 0
    mode: int = stat.S_IFREG | 0o644
    external: int | None = None
    packed: bytes | None = None
    crc: int | None = None
    packed_size: int | None = None
    size: int | None = None
    local_name: bytes | None = None
    local_size: int | None = None
    extra: bytes = b""
    offset: int | None = None

    def data(self) -> bytes:
        """Return the entry's bytes as they lie in the file."""
        if self.packed is not None:
            return self.packed
        if self.method != zipfile.ZIP_DEFLATED:
            return self.content
        pack = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        return pack.compress(self.content) + pack.flush()


@dataclass
class RawZip:
    """A zip written byte by byte (APPNOTE 4.3), so that it can be wrong in any way."""

    entries: list[RawEntry]
    before: bytes = b""
    after: bytes = b""
    count: int | None = None
    offset_shift: int = 0
    written: list[int] = field(default_factory=list)

    def build(self) -> bytes:
        """Return the archive."""
        body = bytearray(self.before)
        directory = bytearray()
        for entry in self.entries:
            at = len(body) if entry.offset is None else entry.offset
            if entry.offset is None:
                body += self._local(entry) + entry.data()
            self.written.append(at)
            directory += self._central(entry, at)
        count = len(self.entries) if self.count is None else self.count
        end = struct.pack(
            "<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(body) + self.offset_shift, 0
        )
        return bytes(body + directory + end) + self.after

    def _local(self, entry: RawEntry) -> bytes:
        name = entry.name if entry.local_name is None else entry.local_name
        crc, packed, size = _sizes(entry)
        size = size if entry.local_size is None else entry.local_size
        head = (b"PK\x03\x04", 20, entry.flags, entry.method, 0, 33, crc, packed, size, len(name), 0)
        return struct.pack("<4s5H3L2H", *head) + name

    def _central(self, entry: RawEntry, at: int) -> bytes:
        crc, packed, size = _sizes(entry)
        external = entry.mode << 16 if entry.external is None else entry.external
        name, extra = entry.name, entry.extra
        head = (b"PK\x01\x02", 0x0314, 20, entry.flags, entry.method, 0, 33, crc, packed, size)
        tail = (len(name), len(extra), 0, 0, 0, external, at)
        return struct.pack("<4s6H3L5H2L", *head, *tail) + name + extra


def _sizes(entry: RawEntry) -> tuple[int, int, int]:
    data = entry.data()
    crc = zlib.crc32(entry.content) if entry.crc is None else entry.crc
    packed = len(data) if entry.packed_size is None else entry.packed_size
    return crc, packed, len(entry.content) if entry.size is None else entry.size
