"""The numbered reports of one attempt, kept until the Control Room has them.

What is synced to the disk, and when: the first report of a state that others rely on (started, ended) before
`append` returns; everything else within the interval at which the agent calls `sync`. All of it is with the
operating system when `append` returns, so that only a power cut, and never a killed process, can lose the last second.
"""

import asyncio
import shutil
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from controlroom.foundation.telemetry import logger
from controlroom.protocol.messages import (
    ArtifactStored,
    Ended,
    Log,
    LogGap,
    Output,
    Progress,
    Report,
    ReportBody,
    Started,
)
from controlroom.protocol.records import Level, LogRecord, Stream
from controlroom.protocol.wire import MAXIMUM_FRAME_BYTES, encode
from controlroom.runner.spool.folding import gap, joined_times, times_of
from controlroom.runner.spool.frames import Frame, Kind, Times
from controlroom.runner.spool.journal import Journal
from controlroom.runner.spool.reserve import Reserve

_LARGEST_PAYLOAD_BYTES = MAXIMUM_FRAME_BYTES - 1024
"""Leaves room for what a transport puts around a report."""
_RECENT_BYTES = 1024 * 1024
_DISK_RETRY_SECONDS = 1.0
_KINDS: dict[type, Kind] = {
    Log: Kind.LOG,
    Progress: Kind.PROGRESS,
    Output: Kind.OUTPUT,
    ArtifactStored: Kind.ARTIFACT,
    Ended: Kind.ENDED,
}
_DISK_FULL = (
    "The Bot Runner's disk takes no more: log lines are missing from here on, and files may not be kept. "
    "Free some space on the device."
)
T = TypeVar("T")
_SYNCED = (Started, Ended)
_reports = msgspec.msgpack.Decoder(Report)
_log = logger("runner.spool")


@dataclass(frozen=True, slots=True)
class Entry:
    """One report as it goes over the wire."""

    number: int
    kind: Kind
    payload: bytes


class Spool:
    """One attempt's reports. Its methods may be called from any task; they take their turn."""

    def __init__(
        self,
        journal: Journal,
        reserve: Reserve,
        folder: Path,
        attempt_id: str,
        token: str,
        *,
        limit_bytes: int,
    ) -> None:
        self._journal = journal
        self._folder = folder
        self._attempt_id = attempt_id
        self._token = token
        self._limit_bytes = limit_bytes
        self._lock = asyncio.Lock()
        self._recent: dict[int, Entry] = {}
        self._recent_bytes = 0
        self._lost_lines = 0
        self._lost_times: Times | None = None
        self._reserve = reserve
        self._is_disk_full = False
        self.last = journal.last
        """The newest number, 0 where there is none."""
        self.ended = journal.ended
        """Whether `Ended` is written; nothing is taken after it."""
        self.size = journal.size
        """Bytes on disk, acknowledged segments not counted."""
        self.on_change: Callable[[], None] = _ignore
        """Called after each append and removal."""

    @classmethod
    async def open(cls, folder: Path, attempt_id: str, token: str, *, limit_bytes: int) -> "Spool":
        """Open an attempt's spool, mending what an earlier process left half written.

        Raises `OSError` for a new one where the disk has no room even for the attempt's last words.
        """
        journal, reserve = await asyncio.to_thread(_open, folder, limit_bytes)
        return cls(journal, reserve, folder, attempt_id, token, limit_bytes=limit_bytes)

    @property
    def first(self) -> int:
        """The oldest number that is still on disk, or the first to come where there is none."""
        return self._journal.first

    @property
    def unsynced(self) -> bool:
        """Whether something was appended that a power cut would lose."""
        return self._journal.unsynced

    @property
    def crowded(self) -> bool:
        """Whether half of the limit is in use: time to wait for the Control Room, where it is there."""
        return self.size > self._limit_bytes // 2

    async def append(self, body: ReportBody) -> None:
        """Keep a report under the next number; it survives this process when this returns.

        On a full disk log lines give way and are counted, the log says so, and any other report uses what was held in
        reserve for it, or waits until there is room. What comes after `Ended` is dropped.
        """
        await self._in_turn(self._append(body))
        self.on_change()

    async def read(self, number: int, *, reports: int, limit_bytes: int) -> list[Entry]:
        """Return at most so many reports from a number on, of about the limit of bytes together."""
        if number in self._recent:
            recent = self._read_recent(number, reports, limit_bytes)
            self._journal.mark_sent(recent[-1].number)
            return recent
        frames = await self._in_turn(asyncio.to_thread(self._journal.read, number, limit_bytes))
        entries: list[Entry] = []
        for frame in frames:
            entries.extend(self._entries(frame, reports - len(entries)))
        return entries[:reports]

    async def acknowledge(self, number: int) -> None:
        """Take note that the Control Room has all reports up to a number, and free what it no longer needs.

        A number ahead of this spool means that the disk lost reports which the Control Room has (a power cut):
        numbering goes on behind it, and the attempt's end, if it is written, is written again there.
        """
        await self._in_turn(self._acknowledge(number))
        self.on_change()

    async def sync(self) -> None:
        """Bring all that was appended to the disk itself."""
        await self._in_turn(asyncio.to_thread(self._journal.sync))

    async def close(self) -> None:
        """Let go of the files and keep them."""
        await self._in_turn(asyncio.to_thread(self._journal.close))

    async def remove(self, around: Path | None = None) -> None:
        """Delete the spool, with a folder ``around`` it where one is given: the Control Room wants no more of this attempt."""
        await self._in_turn(asyncio.to_thread(self._delete, around or self._folder))

    def _delete(self, folder: Path) -> None:
        self._journal.close()
        shutil.rmtree(folder, ignore_errors=True)

    async def _in_turn(self, work: Coroutine[Any, Any, T]) -> T:
        """Do one piece of work at a time, to its end even where the caller is cancelled: a thread cannot be stopped."""
        return await asyncio.shield(asyncio.create_task(self._locked(work)))

    async def _locked(self, work: Coroutine[Any, Any, T]) -> T:
        async with self._lock:
            return await work

    async def _append(self, body: ReportBody) -> None:
        if self.ended:
            _log.warning("runner.report_after_end", attempt_id=self._attempt_id, report=type(body).__name__)
            return
        is_log = isinstance(body, Log)
        if self._is_disk_full and is_log:
            self._is_disk_full = not await asyncio.to_thread(self._reserve.take_again)
        while (self._is_disk_full and is_log) or not await self._append_with_lost_lines(body):
            if not self._is_disk_full:
                await self._use_reserve()
            elif isinstance(body, Log):
                self._lost_lines += len(body.records)
                self._lost_times = joined_times(self._lost_times, times_of(body.records))
                return
            else:
                await asyncio.sleep(_DISK_RETRY_SECONDS)
        self.size = self._journal.size

    async def _append_with_lost_lines(self, body: ReportBody) -> bool:
        return await self._append_lost_lines() and await self._append_body(body)

    async def _use_reserve(self) -> None:
        """Give up the reserve, and say in the log why lines are missing from here on."""
        self._is_disk_full = True
        await asyncio.to_thread(self._reserve.give_up)
        await self._append_body(Log((LogRecord(time.time(), Stream.SYSTEM, Level.ERROR, _DISK_FULL),)))

    async def _acknowledge(self, number: int) -> None:
        if number > self._journal.last:
            await self._skip_to(number)
        elif self._journal.has_segments_through(number):
            await asyncio.to_thread(self._journal.drop_through, number)
        else:
            self._journal.mark_sent(number)
        self.size = self._journal.size

    async def _append_body(self, body: ReportBody) -> bool:
        entry = self._entry(self._journal.last + 1, body)
        if len(entry.payload) > _LARGEST_PAYLOAD_BYTES:
            body = Log((_too_large(body, len(entry.payload)),))
            entry = self._entry(entry.number, body)
        lines = len(body.records) if isinstance(body, Log) else 0
        frame = Frame(entry.number, entry.kind, entry.payload, lines)
        if not await self._write(frame, sync=isinstance(body, _SYNCED)):
            return False
        self.last = entry.number
        self.ended = isinstance(body, Ended)
        self._remember(entry)
        return True

    async def _append_lost_lines(self) -> bool:
        if self._lost_lines:
            missing = gap(self._journal.last + 1, self._journal.last + 1, self._lost_lines, self._lost_times)
            if not await self._write(missing, sync=False):
                return False
            self.last = missing.number
            self._lost_lines, self._lost_times = 0, None
        return True

    async def _write(self, frame: Frame, *, sync: bool) -> bool:
        """Write a frame and say whether it is written; that making room behind it failed does not matter."""
        try:
            await asyncio.to_thread(self._journal.append, frame, sync=sync)
        except OSError as error:
            _log.error(  # the reason is in the error's text, a traceback adds nothing
                "runner.spool_unwritable", attempt_id=self._attempt_id, reason=error.strerror
            )
            return self._journal.last >= frame.last
        return True

    async def _skip_to(self, number: int) -> None:
        end: Ended | None = None
        if self.ended:
            frames = await asyncio.to_thread(self._journal.read, self._journal.last, 0)
            body = _reports.decode(frames[0].payload).body if frames and frames[0].payload else None
            end = body if isinstance(body, Ended) else None
        await asyncio.to_thread(self._journal.skip_to, number)
        self._recent.clear()
        self._recent_bytes = 0
        self.last = number
        if end is not None:
            self.ended = False
            await self._append(end)

    def _entry(self, number: int, body: ReportBody) -> Entry:
        report = Report(self._attempt_id, self._token, number, body)
        return Entry(number, _KINDS.get(type(body), Kind.STATE), encode(report))

    def _entries(self, frame: Frame, limit: int) -> list[Entry]:
        if frame.kind is not Kind.GAP:
            return [Entry(frame.number, frame.kind, frame.payload)]
        numbers = range(frame.number, min(frame.last + 1, frame.number + max(limit, 0)))
        told = LogGap(frame.lines, *(frame.times or (None, None)))
        return [self._entry(number, told if number == frame.last else LogGap(0)) for number in numbers]

    def _read_recent(self, number: int, reports: int, limit_bytes: int) -> list[Entry]:
        entries: list[Entry] = []
        while len(entries) < reports and (entry := self._recent.get(number)) is not None:
            limit_bytes -= len(entry.payload)
            if entries and limit_bytes < 0:
                break
            entries.append(entry)
            number += 1
        return entries

    def _remember(self, entry: Entry) -> None:
        self._recent[entry.number] = entry
        self._recent_bytes += len(entry.payload)
        while self._recent and (
            self._recent_bytes > _RECENT_BYTES or next(iter(self._recent)) <= self._journal.folded_through
        ):
            oldest = self._recent.pop(next(iter(self._recent)))
            self._recent_bytes -= len(oldest.payload)


def _open(folder: Path, limit_bytes: int) -> tuple[Journal, Reserve]:
    journal, reserve = Journal(folder, limit_bytes=limit_bytes), Reserve(folder)
    if journal.last == 0:
        reserve.take()
    return journal, reserve


def _too_large(body: ReportBody, size: int) -> LogRecord:
    what = f"The output '{body.name}'" if isinstance(body, Output) else f"A {type(body).__name__} report"
    text = (
        f"{what} takes {size:,} bytes, more than the {_LARGEST_PAYLOAD_BYTES:,} that can be sent, and was left out. "
        "Give large results as artifacts."
    )
    return LogRecord(time.time(), Stream.SYSTEM, Level.ERROR, text)


def _ignore() -> None:
    return None
