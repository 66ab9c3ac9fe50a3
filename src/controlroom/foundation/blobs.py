"""Blobs: packages and artifacts, addressed by their SHA-256, in a folder.

A blob is written aside, synced and renamed into place, so that a reader sees all of it or none.
"""

import asyncio
import errno
import hashlib
import os
import re
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TypeVar

from controlroom.foundation.errors import Invalid, NotFound, TooLarge, Unavailable

CHUNK_BYTES = 256 * 1024
SHELVES = 256
"""Folders that blobs lie in, by the first two hex digits of their address."""
_UNFINISHED = "incoming"
T = TypeVar("T")

_SHA256 = re.compile(r"^[0-9a-f]{64}$")


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """What was stored: its address and its size in bytes."""

    sha256: str
    size_bytes: int


class CorruptBlob(Unavailable):
    """The bytes on disk are not those that were stored."""

    code = "corrupt_blob"
    title = "A stored file is damaged"


class BlobStore:
    """A folder of immutable blobs, ``ab/cdef...`` by the hash of their content. Safe across processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(
        self, chunks: AsyncIterator[bytes], *, limit_bytes: int, expected_sha256: str | None = None
    ) -> StoredBlob:
        """Store what the iterator gives and return its address.

        Raises `TooLarge` past the limit, `Invalid` where the content is not what was announced, and `Unavailable`
        where the disk is full; in each case nothing is left behind.
        """
        file = await _on_disk(self._open_aside)
        try:
            digest = hashlib.sha256()
            size = 0
            async for chunk in chunks:
                size += len(chunk)
                if size > limit_bytes:
                    raise TooLarge(f"The file is larger than the {limit_bytes:,} bytes that are taken here.")
                await _on_disk(_append, file, digest, chunk)
            address = digest.hexdigest()
            if expected_sha256 is not None and expected_sha256 != address:
                raise Invalid(
                    f"The file's SHA-256 is {address}, not {expected_sha256} as announced; send it again."
                )
            await _on_disk(self._keep, file, address)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(_discard, file))
            raise
        return StoredBlob(address, size)

    async def put_bytes(self, content: bytes) -> StoredBlob:
        """Store a blob that is already in memory."""

        async def once() -> AsyncIterator[bytes]:
            yield content

        return await self.put(once(), limit_bytes=len(content))

    async def path(self, sha256: str) -> Path:
        """Return where a blob lies on disk; raise `NotFound` where it is not there."""
        path = self._address(sha256)
        if not await asyncio.to_thread(path.is_file):
            raise NotFound(f"The stored file {sha256} is missing from the data folder.")
        return path

    async def verified_path(self, sha256: str) -> Path:
        """Return where a blob lies after reading it through; raise `CorruptBlob` where its content has changed."""
        path = await self.path(sha256)
        if await asyncio.to_thread(_hash_of, path) != sha256:
            raise CorruptBlob(
                f"The stored file {sha256} no longer has that SHA-256; restore it from a backup or publish it again."
            )
        return path

    async def read(self, sha256: str) -> AsyncIterator[bytes]:
        """Give a blob's content in chunks."""
        path = await self.path(sha256)
        file = await asyncio.to_thread(path.open, "rb")
        try:
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield chunk
        finally:
            file.close()

    async def delete(self, sha256: str) -> None:
        """Remove a blob that nothing refers to; one that is not there is let be."""
        await asyncio.to_thread(self._address(sha256).unlink, True)

    @property
    def unfinished(self) -> Path:
        """Where blobs lie that are still being written; those of a process that died stay there."""
        return self._folder / _UNFINISHED

    async def older_than(self, shelf: int, moment: datetime) -> list[str]:
        """Return the addresses on one of the `SHELVES` that were last stored before a moment."""
        return await asyncio.to_thread(_stored_before, self._folder / f"{shelf:02x}", moment.timestamp())

    async def delete_old(self, sha256: str, moment: datetime) -> int | None:
        """Remove a blob unless it was stored again after a moment; return the bytes that this freed, None for none.

        A blob that is stored anew meanwhile stays: it is set aside first and put back where it turns out to be fresh.
        """
        return await asyncio.to_thread(self._delete_old, self._address(sha256), moment.timestamp())

    def _delete_old(self, path: Path, before: float) -> int | None:
        aside = self.unfinished / f"{path.parent.name}{path.name}.leaving"
        self.unfinished.mkdir(parents=True, exist_ok=True)
        try:
            path.rename(aside)
            found = aside.stat()
        except FileNotFoundError:
            return None
        if found.st_mtime >= before:
            aside.replace(path)
            return None
        aside.unlink()
        return found.st_size

    def _address(self, sha256: str) -> Path:
        if not _SHA256.match(sha256):
            raise NotFound("A stored file is named by the 64 hex digits of its SHA-256.")
        return self._folder / sha256[:2] / sha256[2:]

    def _open_aside(self) -> IO[bytes]:
        self.unfinished.mkdir(parents=True, exist_ok=True)
        return tempfile.NamedTemporaryFile(dir=self.unfinished, delete=False)  # closed by _keep or _discard

    def _keep(self, file: IO[bytes], sha256: str) -> None:
        file.flush()
        os.fsync(file.fileno())
        file.close()
        target = self._address(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        Path(file.name).replace(target)


async def _on_disk(work: Callable[..., T], *args: object) -> T:
    try:
        return await asyncio.to_thread(work, *args)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable(
                "The disk that holds the data folder is full; free some space and try again."
            ) from error
        raise Unavailable(f"The data folder cannot be written: {error.strerror}.") from error


def remove_old_files(folder: Path, before: datetime) -> int:
    """Remove the files of a folder that were last written before a moment; return how many. Blocking."""
    removed = 0
    if folder.is_dir():
        for path in folder.iterdir():
            try:
                if path.is_file() and path.stat().st_mtime < before.timestamp():
                    path.unlink()
                    removed += 1
            except FileNotFoundError:  # its owner was quicker
                continue
    return removed


def _stored_before(shelf: Path, before: float) -> list[str]:
    if not shelf.is_dir():
        return []
    with os.scandir(shelf) as entries:
        return [shelf.name + entry.name for entry in entries if entry.stat().st_mtime < before]


def _append(file: IO[bytes], digest: "hashlib._Hash", chunk: bytes) -> None:
    digest.update(chunk)
    file.write(chunk)


def _discard(file: IO[bytes]) -> None:
    file.close()
    Path(file.name).unlink(missing_ok=True)


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
