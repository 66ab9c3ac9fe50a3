"""The files that an attempt leaves: copied at once, stored with the Control Room before the report that names them."""

import asyncio
import hashlib
import os
import time
from pathlib import Path

import msgspec

from controlroom.foundation.errors import Unavailable
from controlroom.foundation.telemetry import logger
from controlroom.protocol.messages import ArtifactStored, Log, Report
from controlroom.protocol.records import Level, LogRecord, Stream
from controlroom.protocol.wire import encode
from controlroom.runner.agent.transfers import TransferFailed, TransferRefused, Transfers
from controlroom.runner.disk import disk_trouble
from controlroom.runner.link.outbox import Outbox
from controlroom.runner.link.pace import Backoff, Pace
from controlroom.runner.spool import Entry
from controlroom.runner.spool.frames import Kind

_STORED = ".stored"
_COPYING = ".copying"
_CHUNK_BYTES = 1024 * 1024
_reports = msgspec.msgpack.Decoder(Report)
_log = logger("runner.artifacts")


class Artifacts:
    """Artifacts of one attempt: the `ArtifactUploader` of its execution and the gate of its lane in the outbox."""

    def __init__(
        self,
        folder: Path,
        attempt_id: str,
        token: str,
        *,
        transfers: Transfers,
        outbox: Outbox,
        turns: asyncio.Semaphore,
    ) -> None:
        self._folder = folder
        self._attempt_id = attempt_id
        self._token = token
        self._transfers = transfers
        self._outbox = outbox
        self._turns = turns
        self._results: dict[str, str] = {}
        """By hash: empty where the file is stored, else why it will not be."""
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def upload(self, path: Path, name: str, media_type: str) -> ArtifactStored:
        """Keep a copy of a file and begin to store it; return the report that names it.

        Does not wait for the Control Room: whatever time storing takes, the report stays behind it. Raises
        `Unavailable` where the file cannot be read or the disk does not take the copy.
        """
        try:
            sha256, size = await asyncio.to_thread(self._copy, path)
        except OSError as error:
            raise Unavailable(f"The artifact '{name}' could not be kept. {disk_trouble(error)}") from None
        self._begin(sha256)
        return ArtifactStored(name, sha256, size, media_type)

    def gate(self, entry: Entry) -> Entry | None:
        """Let a report through once the file that it names is stored; say so in the log where it never will be."""
        if entry.kind is not Kind.ARTIFACT:
            return entry
        report = _reports.decode(entry.payload)
        if not isinstance(report.body, ArtifactStored):
            return entry
        result = self._results.get(report.body.sha256)
        if result is None:
            self._begin(report.body.sha256)
            return None
        return self._instead(report, report.body, result) if result else entry

    async def close(self) -> None:
        """Stop storing; a later process goes on with it."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _instead(self, report: Report, stored: ArtifactStored, reason: str) -> Entry:
        text = f"The artifact '{stored.name}' could not be stored. {reason}"
        record = LogRecord(time.time(), Stream.SYSTEM, Level.ERROR, text)
        said = Report(report.attempt_id, report.token, report.number, Log((record,)))
        return Entry(report.number, Kind.LOG, encode(said))

    def _begin(self, sha256: str) -> None:
        if sha256 not in self._tasks and sha256 not in self._results:
            self._tasks[sha256] = asyncio.create_task(self._store(sha256))

    async def _store(self, sha256: str) -> None:
        try:
            async with self._turns:
                self._results[sha256] = await self._store_patiently(sha256)
        except OSError as error:
            self._results[sha256] = f"The runner's copy cannot be read: {error.strerror}."
        finally:
            del self._tasks[sha256]
        self._outbox.wake()

    async def _store_patiently(self, sha256: str) -> str:
        path, mark = self._folder / sha256, self._folder / f"{sha256}{_STORED}"
        if await asyncio.to_thread(mark.exists):
            return ""
        backoff = Backoff(Pace())
        while True:
            try:
                await self._transfers.store_artifact(self._attempt_id, self._token, sha256, path)
            except TransferRefused as refused:
                _log.warning("runner.artifact_refused", attempt_id=self._attempt_id, reason=refused.detail)
                return refused.detail
            except TransferFailed as failed:
                _log.info("runner.artifact_delayed", attempt_id=self._attempt_id, reason=failed.detail)
                await asyncio.sleep(backoff.next_seconds())
            else:
                await asyncio.to_thread(_mark_stored, path, mark)
                return ""

    def _copy(self, source: Path) -> tuple[str, int]:
        """Copy a file aside and give the copy its hash as a name, so that a later change of the file does not matter."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside = self._folder / f"{time.monotonic_ns()}{_COPYING}"
        digest = hashlib.sha256()
        size = 0
        try:
            with source.open("rb") as original, aside.open("wb") as copy:
                while chunk := original.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    copy.write(chunk)
                    size += len(chunk)
                copy.flush()
                os.fsync(copy.fileno())
            aside.replace(self._folder / digest.hexdigest())
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        return digest.hexdigest(), size


def _mark_stored(path: Path, mark: Path) -> None:
    mark.touch(mode=0o600)
    path.unlink(missing_ok=True)
