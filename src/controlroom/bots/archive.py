"""Opens an uploaded zip only after proving that it is safe to unpack anywhere.

Every entry is looked at as a hostile one would be made: names that leave the folder or are one file on some systems,
links and devices, sizes that lie, entries that share bytes, more than the limits allow. The directory's own size is
checked before it is read, and every entry's data is unpacked once, piece by piece, against what the directory says.
Structure: PKWARE APPNOTE.TXT 6.3.10, sections 4.3 and 4.4.
"""

import hashlib
import stat
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from controlroom.bots.entry_spans import FLAG_UTF8, FLAGS_TAKEN, check_content, check_layout, span_of
from controlroom.bots.errors import NotAZip, PackageRefused, PackageTooBig, UnsafeEntry
from controlroom.bots.files import ZipFiles
from controlroom.bots.names import check_path, collision_key

_MEBIBYTE = 1024 * 1024
_SMALL_BYTES = _MEBIBYTE
"""Up to this size an entry may be compressed as strongly as it likes."""

_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\x05\x06"
_LONGEST_COMMENT = 65_535
_DIRECTORY_ENTRY_BYTES = 1_200
"""More than a directory entry of a path within the limits needs, its extra fields included."""

_FLAG_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_EXTRA_UNICODE_PATH = 0x7075
_WINDOWS_REPARSE_POINT = 0x0400


@dataclass(frozen=True, slots=True)
class PackageLimits:
    """What a package may hold at most."""

    packed_bytes: int = 200 * _MEBIBYTE
    unpacked_bytes: int = 1024 * _MEBIBYTE
    entries: int = 10_000
    ratio: int = 250
    """Unpacked to packed size of one entry; text compresses 20-fold, deflate's end is at 1,032."""


@dataclass(frozen=True, slots=True)
class PackageFacts:
    """What was found: the package's address, its packed and unpacked size in bytes, how many files it holds."""

    sha256: str
    size_bytes: int
    unpacked_bytes: int
    files: int


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the end record says the directory is, in bytes from the start of the file."""

    offset: int
    size: int
    entries: int


def open_package(path: Path, limits: PackageLimits, suggested_name: str = "") -> ZipFiles:
    """Open a zip after checking all of its structure and content; raise `PackageRefused` that names the entry.

    Reads the whole file; call it in a thread. The caller closes the result, best with a ``with`` block.
    """
    archive = _opened(path, limits)
    try:
        with path.open("rb") as raw:
            _check_entries(raw, archive, limits)
        return ZipFiles(archive, suggested_name)
    except BaseException:
        archive.close()
        raise


def trusted_package(path: Path, suggested_name: str = "") -> ZipFiles:
    """Open a package that was checked when it was published."""
    return ZipFiles(zipfile.ZipFile(path), suggested_name)


def facts_of(path: Path, files: ZipFiles) -> PackageFacts:
    """Return a checked package's address and sizes; reads the whole file."""
    with path.open("rb") as raw:
        address = hashlib.file_digest(raw, "sha256").hexdigest()
    names = files.names()
    unpacked = sum(files.size_bytes(name) for name in names)
    return PackageFacts(address, path.stat().st_size, unpacked, len(names))


def _opened(path: Path, limits: PackageLimits) -> zipfile.ZipFile:
    size = path.stat().st_size
    if size > limits.packed_bytes:
        raise PackageTooBig(
            f"The package has {size:,} bytes; at most {limits.packed_bytes:,} bytes are taken."
        )
    with path.open("rb") as raw:
        directory = _find_directory(raw, size, limits)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, UnicodeDecodeError) as error:
        raise NotAZip(f"The package's directory cannot be read: {error}.") from None
    if len(archive.infolist()) != directory.entries or archive.start_dir != directory.offset:
        archive.close()
        raise NotAZip("The package's directory does not hold what its end record says.")
    return archive


def _find_directory(raw: IO[bytes], size: int, limits: PackageLimits) -> _Directory:
    reach = min(size, _END.size + _LONGEST_COMMENT)
    raw.seek(size - reach)
    tail = raw.read(reach)
    at = tail.rfind(_END_SIGNATURE)
    if at < 0 or len(tail) - at < _END.size:
        raise NotAZip("The file is not a zip archive, or its end is missing; upload it again as a whole.")
    _, disk, first_disk, here, entries, length, offset, comment = _END.unpack_from(tail, at)
    if len(tail) - at - _END.size != comment:
        raise NotAZip("The package's end record does not reach to the end of the file.")
    if disk or first_disk or here != entries:
        raise NotAZip("The package is one part of several; make it as one file.")
    if entries == 0xFFFF or 0xFFFFFFFF in (length, offset):
        raise PackageTooBig(
            f"The package is in the ZIP64 form for huge archives; at most {limits.entries:,} entries are taken."
        )
    if entries > limits.entries or length > limits.entries * _DIRECTORY_ENTRY_BYTES:
        raise PackageTooBig(f"The package has {entries:,} entries; at most {limits.entries:,} are taken.")
    if offset + length != size - reach + at:
        raise NotAZip("There are bytes in the package that belong to no part of a zip archive.")
    return _Directory(offset, length, entries)


def _check_entries(raw: IO[bytes], archive: zipfile.ZipFile, limits: PackageLimits) -> None:
    entries = archive.infolist()
    if not any(not entry.is_dir() for entry in entries):
        raise PackageRefused("The package holds no file.")
    for entry in entries:
        _check_kind(entry)
    _check_collisions(entries)
    _check_sizes(entries, limits)
    spans = [span_of(raw, entry, archive.start_dir) for entry in entries]
    check_layout(spans, archive.start_dir)
    for span in spans:
        check_content(raw, span)


def _check_kind(entry: zipfile.ZipInfo) -> None:
    name = entry.orig_filename
    check_path(name)
    if entry.filename != name or _has_other_name(entry):
        raise UnsafeEntry("has two different names", entry=name)
    if not name.isascii() and not entry.flag_bits & FLAG_UTF8:
        raise UnsafeEntry(
            "its name is not marked as UTF-8; make the package with 'controlroom bot publish'", entry=name
        )
    if entry.flag_bits & _FLAG_ENCRYPTED:
        raise UnsafeEntry("is encrypted; make the package without a password", entry=name)
    if entry.flag_bits & ~FLAGS_TAKEN:
        raise UnsafeEntry("uses a feature of zip archives that is not taken", entry=name)
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnsafeEntry("is compressed by another method than deflate", entry=name)
    mode = entry.external_attr >> 16
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFLNK or entry.external_attr & _WINDOWS_REPARSE_POINT:
        raise UnsafeEntry("is a link; put the file itself into the package", entry=name)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR) > entry.is_dir():
        raise UnsafeEntry("is neither a file nor a folder", entry=name)
    if mode & (stat.S_ISUID | stat.S_ISGID):
        raise UnsafeEntry("would run with another user's rights (setuid or setgid)", entry=name)
    if entry.is_dir() and (
        entry.file_size or entry.compress_size > 2
    ):  # an empty deflate stream takes 2 bytes
        raise UnsafeEntry("is a folder and yet has content", entry=name)


def _has_other_name(entry: zipfile.ZipInfo) -> bool:
    extra = entry.extra
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == _EXTRA_UNICODE_PATH and extra[9 : 4 + length] != entry.orig_filename.encode():
            return True
        extra = extra[4 + length :]
    return False


def _check_collisions(entries: Sequence[zipfile.ZipInfo]) -> None:
    spelled: dict[str, str] = {}
    files: set[str] = set()
    for entry in entries:
        path = entry.filename.removesuffix("/")
        key = collision_key(path)
        if key in files or (not entry.is_dir() and key in spelled):
            other = spelled[key]
            said = (
                "is in the package twice"
                if other == path
                else f"is the same file as '{other}' on some systems"
            )
            raise UnsafeEntry(said, entry=path)
        _note_folders(path, spelled, files)
        if spelled.setdefault(key, path) != path:
            raise UnsafeEntry(f"is the same folder as '{spelled[key]}' on some systems", entry=path)
        if not entry.is_dir():
            files.add(key)


def _note_folders(path: str, spelled: dict[str, str], files: set[str]) -> None:
    parent = path.rpartition("/")[0]
    while parent:
        key = collision_key(parent)
        if key in files:
            raise UnsafeEntry(f"lies below '{spelled[key]}', which is a file", entry=path)
        known = spelled.setdefault(key, parent)
        if known != parent:
            raise UnsafeEntry(f"its folder is the same as '{known}' on some systems", entry=path)
        parent = parent.rpartition("/")[0]


def _check_sizes(entries: Sequence[zipfile.ZipInfo], limits: PackageLimits) -> None:
    total = 0
    for entry in entries:
        total += entry.file_size
        if total > limits.unpacked_bytes:
            raise PackageTooBig(
                f"unpacked, the package is larger than {limits.unpacked_bytes:,} bytes", entry=entry.filename
            )
        if entry.file_size > _SMALL_BYTES and entry.file_size > entry.compress_size * limits.ratio:
            raise PackageTooBig(
                f"unpacks to more than {limits.ratio} times its size, as a zip bomb does",
                entry=entry.filename,
            )
