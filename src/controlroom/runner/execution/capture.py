"""Reads a process's output and channel until they end, at the pace of the sink."""

import asyncio
import time
from collections.abc import Callable

from controlroom.protocol.records import LogRecord, Stream
from controlroom.runner.execution.channel import ChannelReader
from controlroom.runner.execution.lines import LineCutter
from controlroom.runner.execution.reports import Reporter
from controlroom.runner.platform.contract import BotProcess, ByteSource

_QUIET_SECONDS = 2.0
"""Pipes that are still open and silent this long after the whole tree has ended are held by someone else."""


class Capture:
    """Reads the two streams and the channel of one process."""

    def __init__(self, process: BotProcess, channel: ChannelReader, reporter: Reporter) -> None:
        self._process = process
        self._channel = channel
        self._reporter = reporter
        self._errors = LineCutter(Stream.STDERR)
        self._bytes = 0
        self._tasks = [
            asyncio.create_task(self._read_lines(process.standard_output, LineCutter(Stream.STDOUT))),
            asyncio.create_task(self._read_lines(process.standard_error, self._errors)),
            asyncio.create_task(self._read_channel(process.channel)),
        ]

    @property
    def last_error_line(self) -> str:
        """The end of the newest traceback on standard error."""
        return self._errors.last_error_line

    async def finish(self) -> None:
        """Return when all that was written has been read; call it once the process tree has ended."""
        seen = -1
        pending = set(self._tasks)
        while pending:
            _, pending = await asyncio.wait(pending, timeout=_QUIET_SECONDS)
            if pending and seen == self._bytes and self._reporter.has_room:
                for source in (
                    self._process.standard_output,
                    self._process.standard_error,
                    self._process.channel,
                ):
                    source.close()
            seen = self._bytes
        await asyncio.gather(*self._tasks)

    async def abandon(self) -> None:
        """Stop reading."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read_lines(self, source: ByteSource, cutter: LineCutter) -> None:
        add: Callable[[list[LogRecord]], None] = self._reporter.add_records
        while data := await source.read():
            self._bytes += len(data)
            add(cutter.feed(data, time.time()))
            await self._breathe()
        add(cutter.close(time.time()))

    async def _read_channel(self, source: ByteSource) -> None:
        while data := await source.read():
            self._bytes += len(data)
            self._channel.feed(data, time.time())
            await self._breathe()

    async def _breathe(self) -> None:
        """Let others run, and wait where the sink cannot keep up."""
        await self._reporter.room()
        await asyncio.sleep(0)
