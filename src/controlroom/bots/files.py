"""The files of a package, read alike from a folder on the author's machine and from a published zip."""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from controlroom.bots.errors import DeclarationInvalid, PackageRefused, declaration_error
from controlroom.foundation.errors import NotFound

TEXT_LIMIT_BYTES = 1024 * 1024
CHUNK_BYTES = 256 * 1024


class PackageFiles(Protocol):
    """What a package holds. Paths use ``/`` and are relative; only files are listed, sorted."""

    @property
    def suggested_name(self) -> str:
        """A name for the bot where the package itself gives none; may be empty."""
        ...

    def names(self) -> Sequence[str]:
        """Return every file's path, sorted."""
        ...

    def is_file(self, name: str) -> bool:
        """Say whether there is a file of exactly this path."""
        ...

    def size_bytes(self, name: str) -> int:
        """Return a file's size; raise `NotFound`."""
        ...

    def chunks(self, name: str) -> Iterator[bytes]:
        """Give a file's content piece by piece; raise `NotFound`."""
        ...


def read_bytes(files: PackageFiles, name: str, limit_bytes: int) -> bytes:
    """Return a file's content; raise `DeclarationInvalid` past the limit and `NotFound` where there is no such file."""
    content = io.BytesIO()
    for chunk in files.chunks(name):
        content.write(chunk)
        if content.tell() > limit_bytes:
            raise declaration_error(name, "", f"is larger than the {limit_bytes:,} bytes that are read of it")
    return content.getvalue()


def read_text(files: PackageFiles, name: str, limit_bytes: int = TEXT_LIMIT_BYTES) -> str:
    """Return a text file's content: UTF-8, its byte order mark left out, line ends as ``\\n``.

    Raises `DeclarationInvalid` for a file that is too large or not such a text, `NotFound` where it is not there.
    """
    try:
        text = read_bytes(files, name, limit_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise declaration_error(name, "", f"is not UTF-8 text (byte {error.start})") from None
    if "\0" in text:
        raise declaration_error(name, "", "holds a NUL character and so is no text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def readable_text(files: PackageFiles, name: str, limit_bytes: int) -> str | None:
    """Return a text file's content, or None where it is too large or not text."""
    if files.size_bytes(name) > limit_bytes:
        return None
    try:
        return read_text(files, name, limit_bytes)
    except DeclarationInvalid:
        return None


def digest(files: PackageFiles, name: str) -> str:
    """Return the SHA-256 of a file's content, in hex."""
    found = hashlib.sha256()
    for chunk in files.chunks(name):
        found.update(chunk)
    return found.hexdigest()


class FolderFiles:
    """Some files of a folder: those that would be packed."""

    def __init__(self, folder: Path, names: Sequence[str], suggested_name: str = "") -> None:
        self._folder = folder
        self._names = sorted(names)
        self._known = frozenset(names)
        self.suggested_name = suggested_name or folder.resolve().name

    def names(self) -> Sequence[str]:
        """Return every file's path, sorted."""
        return self._names

    def is_file(self, name: str) -> bool:
        """Say whether there is a file of exactly this path."""
        return name in self._known

    def size_bytes(self, name: str) -> int:
        """Return a file's size; raise `NotFound`."""
        return self._path(name).stat().st_size

    def chunks(self, name: str) -> Iterator[bytes]:
        """Give a file's content piece by piece; raise `NotFound`."""
        try:
            with self._path(name).open("rb") as file:
                yield from _pieces(file)
        except OSError as error:
            raise PackageRefused(f"cannot be read: {error.strerror}", entry=name) from error

    def _path(self, name: str) -> Path:
        if name not in self._known:
            raise NotFound(f"There is no file '{name}' in the package.")
        return self._folder / name


class ZipFiles:
    """The files of a zip that `archive.open_package` found to be safe. Closes with its block."""

    def __init__(self, archive: zipfile.ZipFile, suggested_name: str = "") -> None:
        self._archive = archive
        self._entries = {entry.filename: entry for entry in archive.infolist() if not entry.is_dir()}
        self._names = sorted(self._entries)
        self.suggested_name = suggested_name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    def names(self) -> Sequence[str]:
        """Return every file's path, sorted."""
        return self._names

    def is_file(self, name: str) -> bool:
        """Say whether there is a file of exactly this path."""
        return name in self._entries

    def size_bytes(self, name: str) -> int:
        """Return a file's size; raise `NotFound`."""
        return self._entry(name).file_size

    def chunks(self, name: str) -> Iterator[bytes]:
        """Give a file's content piece by piece; raise `NotFound`, or `PackageRefused` where it is damaged."""
        entry = self._entry(name)
        try:
            with self._archive.open(entry) as file:
                yield from _pieces(file)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise PackageRefused(f"is damaged: {error}", entry=name) from error

    def _entry(self, name: str) -> zipfile.ZipInfo:
        try:
            return self._entries[name]
        except KeyError:
            raise NotFound(f"There is no file '{name}' in the package.") from None


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
