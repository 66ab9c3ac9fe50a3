"""Gathers what an attempt has to say into reports, in order, in batches, and at the pace of whoever takes them."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

from controlroom.protocol.messages import Log, Progress, ReportBody
from controlroom.protocol.records import MAXIMUM_BATCH_BYTES, MAXIMUM_BATCH_RECORDS, Level, LogRecord, Stream

FLUSH_SECONDS = 0.04
"""Lines wait this long for company, at most."""
_RECORD_BYTES = 40
"""A record's own cost beside its text."""
_PENDING_LIMIT = 3 * MAXIMUM_BATCH_RECORDS
_PENDING_BYTES_LIMIT = 8 * MAXIMUM_BATCH_BYTES


class ReportSink(Protocol):
    """Takes the reports of one attempt; what it has returned from is safe, and awaiting it sets the pace."""

    async def report(self, body: ReportBody) -> None:
        """Keep one report."""
        ...


class Reporter:
    """The one way of an attempt to its sink.

    Adding never waits; whoever adds much calls `room` between, which waits while too much is pending. Log lines
    beyond ``line_limit`` are counted and dropped.
    """

    def __init__(self, sink: ReportSink, *, line_limit: int = 0) -> None:
        self._sink = sink
        self._line_limit = line_limit
        self._pending: list[LogRecord | ReportBody] = []
        self._pending_bytes = 0
        self._progress: Progress | None = None
        self._lines = 0
        self._dropped = 0
        self._wanted = asyncio.Event()
        self._urgent = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._closing = False
        self._task = asyncio.create_task(self._deliver())

    def add_records(self, records: Iterable[LogRecord]) -> None:
        """Add lines of the bot."""
        for record in records:
            self._lines += 1
            if self._line_limit and self._lines > self._line_limit:
                self._dropped += 1
                continue
            self._append(record, _size(record))

    def say(self, text: str, now: float, level: Level = Level.INFO) -> None:
        """Add a line of the runner's own."""
        record = LogRecord(now, Stream.SYSTEM, level, text)
        self._append(record, _size(record))

    def add(self, body: ReportBody) -> None:
        """Add a report that is not a log. Of progress only the newest is kept until the next delivery."""
        if isinstance(body, Progress):
            self._progress = body
            self._wanted.set()
            return
        self._append(body, 0)
        self._urgent.set()

    def _append(self, item: LogRecord | ReportBody, size: int) -> None:
        self._pending.append(item)
        self._pending_bytes += size
        self._wanted.set()
        if len(self._pending) >= MAXIMUM_BATCH_RECORDS or self._pending_bytes >= MAXIMUM_BATCH_BYTES:
            self._urgent.set()
        if len(self._pending) > _PENDING_LIMIT or self._pending_bytes > _PENDING_BYTES_LIMIT:
            self._drained.clear()

    @property
    def delivery(self) -> asyncio.Task[None]:
        """The delivery, which ends before `finish` only where the sink failed."""
        return self._task

    @property
    def has_room(self) -> bool:
        """Whether `room` would return at once."""
        return self._drained.is_set()

    async def room(self) -> None:
        """Wait while too much is pending; raise what the sink raised, where it failed."""
        if self._task.done():
            self._task.result()
        if not self._drained.is_set():
            await self._drained.wait()

    async def finish(self, last: ReportBody, now: float) -> None:
        """Deliver everything and then the last report."""
        if self._dropped:
            self.say(
                f"{self._dropped:,} further log lines were not kept: the limit of this bot is {self._line_limit:,}.",
                now,
                Level.WARNING,
            )
        self._closing = True
        self._wanted.set()
        self._urgent.set()
        await self._task
        await self._sink.report(last)

    async def abandon(self) -> None:
        """Stop delivering."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _deliver(self) -> None:
        try:
            while True:
                await self._wanted.wait()
                with suppress(TimeoutError):
                    async with asyncio.timeout(FLUSH_SECONDS):
                        await self._urgent.wait()
                if not self._closing:
                    self._urgent.clear()
                    self._wanted.clear()
                await self._deliver_pending()
                if self._closing and not self._pending and self._progress is None:
                    return
        finally:
            self._drained.set()

    async def _deliver_pending(self) -> None:
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        progress, self._progress = self._progress, None
        for body in _batches(pending):
            await self._sink.report(body)
        if progress is not None:
            await self._sink.report(progress)
        if len(self._pending) <= _PENDING_LIMIT and self._pending_bytes <= _PENDING_BYTES_LIMIT:
            self._drained.set()


def _batches(items: list[LogRecord | ReportBody]) -> Iterable[ReportBody]:
    """Yield reports in the order of the items, neighbouring lines together, each batch within the protocol's bounds."""
    batch: list[LogRecord] = []
    size = 0
    for item in items:
        if not isinstance(item, LogRecord):
            if batch:
                yield Log(tuple(batch))
                batch, size = [], 0
            yield item
            continue
        added = _size(item)
        if batch and (len(batch) >= MAXIMUM_BATCH_RECORDS or size + added > MAXIMUM_BATCH_BYTES):
            yield Log(tuple(batch))
            batch, size = [], 0
        batch.append(item)
        size += added
    if batch:
        yield Log(tuple(batch))


def _size(record: LogRecord) -> int:
    text = record.text
    size = _RECORD_BYTES + (len(text) if text.isascii() else len(text.encode("utf-8", "replace")))
    if record.fields:
        size += sum(len(name) * 4 + len(bytes(value)) for name, value in record.fields.items())
    return size
