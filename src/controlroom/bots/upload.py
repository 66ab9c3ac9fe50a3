"""Takes an uploaded package aside, checks it, and gives it on only when it is sound."""

import asyncio
import errno
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from controlroom.bots.archive import PackageFacts, PackageLimits, facts_of, open_package
from controlroom.bots.check import CheckReport, check_package
from controlroom.bots.errors import PackageRefused, UploadTooLarge
from controlroom.bots.files import CHUNK_BYTES
from controlroom.foundation.errors import Invalid, Unavailable


@dataclass(frozen=True, slots=True)
class ReceivedPackage:
    """A package that is safe to open: where it lies for now, its facts, and what the check of its content found."""

    path: Path
    facts: PackageFacts
    report: CheckReport

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the package's bytes."""
        file = await asyncio.to_thread(self.path.open, "rb")
        try:
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield chunk
        finally:
            file.close()


@asynccontextmanager
async def received(
    chunks: AsyncIterator[bytes],
    *,
    folder: Path,
    limits: PackageLimits,
    checks: asyncio.Semaphore,
    expected_sha256: str | None = None,
    suggested_name: str = "",
) -> AsyncIterator[ReceivedPackage]:
    """Keep an upload in a folder for the length of the block, checked; ``checks`` bounds how many are at once.

    Raises `UploadTooLarge`, `PackageRefused`, `Invalid` where the content is not what was announced, and `Unavailable`
    where the disk is full. What the package's own files get wrong is in the report.
    """
    file = await asyncio.to_thread(_aside, folder)
    path = Path(file.name)
    try:
        try:
            await _write(chunks, file, limits.packed_bytes)
        finally:
            await asyncio.shield(asyncio.to_thread(file.close))
        async with checks:
            facts, report = await asyncio.to_thread(_inspected, path, limits, suggested_name)
        if expected_sha256 and expected_sha256.lower() != facts.sha256:
            raise Invalid(
                f"The package's SHA-256 is {facts.sha256}, not {expected_sha256[:64]} as announced; send it again."
            )
        yield ReceivedPackage(path, facts, report)
    finally:
        await asyncio.shield(asyncio.to_thread(path.unlink, missing_ok=True))


def _aside(folder: Path) -> IO[bytes]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.NamedTemporaryFile(dir=folder, suffix=".zip", delete=False)  # removed by `received`
    except OSError as error:
        raise _unwritable(error) from error


async def _write(chunks: AsyncIterator[bytes], file: IO[bytes], limit_bytes: int) -> None:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit_bytes:
            raise UploadTooLarge(
                f"The package is larger than the {limit_bytes:,} bytes that this server takes."
            )
        try:
            await asyncio.to_thread(file.write, chunk)
        except OSError as error:
            raise _unwritable(error) from error
    if not size:
        raise PackageRefused("There is no package in the request; send the zip as its body.")
    try:
        await asyncio.to_thread(file.flush)
    except OSError as error:
        raise _unwritable(error) from error


def _inspected(path: Path, limits: PackageLimits, suggested_name: str) -> tuple[PackageFacts, CheckReport]:
    with open_package(path, limits, suggested_name) as files:
        return facts_of(path, files), check_package(files)


def _unwritable(error: OSError) -> Unavailable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable("The disk that holds the data folder is full; free some space and try again.")
    return Unavailable(f"The data folder cannot be written: {error.strerror}.")
