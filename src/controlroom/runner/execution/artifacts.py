"""Collects the files of an attempt that are to be kept: those the bot names at once, all others at its end."""

import asyncio
import mimetypes
import os
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from controlroom.foundation.errors import ControlRoomError
from controlroom.protocol.messages import ArtifactStored
from controlroom.protocol.records import Level
from controlroom.runner.execution.reports import Reporter

_QUEUE_LIMIT = 1_000
_MOST_FILES = 10_000
_LONGEST_NAME = 255
_MEGABYTE = 1024 * 1024
_Mark = tuple[int, int, int]


class ArtifactUploader(Protocol):
    """Brings a file to where artifacts are kept."""

    async def upload(self, path: Path, name: str, media_type: str) -> ArtifactStored:
        """Return the report once the content is safe."""
        ...


class ArtifactCollector:
    """Uploads one file after the other, within the attempt's limit, never what lies outside of the workspace."""

    def __init__(
        self, folders: Sequence[Path], uploader: ArtifactUploader, reporter: Reporter, limit_mb: int
    ) -> None:
        self._folders = folders
        self._uploader = uploader
        self._reporter = reporter
        self._limit_bytes = limit_mb * _MEGABYTE
        self._limit_mb = limit_mb
        self._stored_bytes = 0
        self._stored: dict[tuple[Path, str], _Mark] = {}
        self._named: asyncio.Queue[tuple[Path, str]] = asyncio.Queue(_QUEUE_LIMIT)
        self._task = asyncio.create_task(self._upload_named())
        self.over_limit = ""
        """What was wrong where not everything could be kept within the limit."""
        self.not_kept = ""
        """Why something that the bot left could not be kept on this machine."""

    def offer(self, path: str, name: str) -> None:
        """Take a file that the bot named; it is uploaded soon. What does not fit in the queue is found at the end."""
        if not self._named.full():
            self._named.put_nowait((Path(path), name))

    def size_now(self) -> int:
        """Return the bytes that lie in the folders. Blocking."""
        return sum(found.st_size for folder in self._folders for _, found in _files(folder))

    async def collect(self) -> None:
        """Upload what was named, then everything in the folders that is new or changed since."""
        await self._named.join()
        self._task.cancel()
        for folder in self._folders:
            for path, found in await asyncio.to_thread(_sorted_files, folder):
                name = path.relative_to(folder).as_posix()
                if self._stored.get((path, name)) != _mark(found):
                    await self._upload(path, name)

    async def abandon(self) -> None:
        """Stop uploading."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _upload_named(self) -> None:
        while True:
            path, name = await self._named.get()
            try:
                await self._upload(path, name)
            finally:
                self._named.task_done()

    async def _upload(self, path: Path, name: str) -> None:
        found = await asyncio.to_thread(self._examine, path)
        if found is None or self._stored.get((path, name)) == _mark(found):
            return
        if self._limit_bytes and self._stored_bytes + found.st_size > self._limit_bytes:
            self.over_limit = f"The bot's artifacts are larger than its limit of {self._limit_mb:,} MB."
            self._warn(
                f"The artifact {name!r} was not kept: all together would be more than {self._limit_mb:,} MB."
            )
            return
        try:
            stored = await self._uploader.upload(path, name[-_LONGEST_NAME:], media_type(name))
        except (ControlRoomError, OSError) as error:
            self.not_kept = self.not_kept or str(error)
            self._warn(str(error))
            return
        self._stored[path, name] = _mark(found)
        self._stored_bytes += found.st_size
        self._reporter.add(stored)

    def _examine(self, path: Path) -> os.stat_result | None:
        """Return what the file is, or None for one that is no plain file inside the folders."""
        try:
            found = os.lstat(path)
            real = path.resolve(strict=True)
        except (OSError, ValueError):
            return None
        inside = any(real.is_relative_to(folder.resolve()) for folder in self._folders)
        if not inside or not stat.S_ISREG(found.st_mode):
            self._warn(
                f"The artifact {path.name!r} was not kept: it is no plain file of the artifact folder."
            )
            return None
        return found

    def _warn(self, text: str) -> None:
        self._reporter.say(text, time.time(), Level.WARNING)


def media_type(name: str) -> str:
    """Guess from the file's name."""
    guessed, encoding = mimetypes.guess_type(name)
    return "application/octet-stream" if guessed is None or encoding else guessed


def _mark(found: os.stat_result) -> _Mark:
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the plain files below a folder, hidden parts of unfinished copies left out; links are not followed."""
    count = 0
    pending = [folder]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(Path(entry.path))
                    elif entry.is_file(follow_symlinks=False) and not _unfinished(entry.name):
                        count += 1
                        if count > _MOST_FILES:
                            return
                        yield Path(entry.path), entry.stat(follow_symlinks=False)
        except OSError:
            continue


def _sorted_files(folder: Path) -> list[tuple[Path, os.stat_result]]:
    return sorted(_files(folder))


def _unfinished(name: str) -> bool:
    return name.startswith(".") and name.endswith(".part")
