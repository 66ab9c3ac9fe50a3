"""What Linux and macOS share: pipes read by the event loop, a bot behind its keeper, advisory file locks."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from controlroom.runner.platform import processes
from controlroom.runner.platform.contract import ByteSource, CannotStart, ExitFacts, TreeUse

assert sys.platform != "win32"  # noqa: S101  # tells the type checker that what follows needs POSIX  # nosec B101

_READ_BYTES = 256 * 1024
_PIPE_BYTES = 1024 * 1024
_SET_PIPE_SIZE = 1031
"""F_SETPIPE_SZ of Linux (fcntl(2)), which Python 3.11 names on Linux only."""
NO_MARKER = ("", "")
_ANSWER_SECONDS = 5.0
_KEEPER_LIMIT_SECONDS = 15.0
"""Longer than the keeper itself takes before it gives up on a tree."""


class PipeSource:
    """The reading end of a pipe, read as the event loop finds it ready."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._waiting: asyncio.Future[None] | None = None

    async def read(self) -> bytes:
        """Return what is there, waiting for at least one byte; empty at the end."""
        while self._descriptor >= 0:
            try:
                return os.read(self._descriptor, _READ_BYTES)
            except BlockingIOError:
                await self._readable()
            except OSError:
                return b""
        return b""

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        loop.add_reader(self._descriptor, self._wake)
        try:
            await self._waiting
        finally:
            if self._descriptor >= 0:
                loop.remove_reader(self._descriptor)
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def close(self) -> None:
        """Stop reading; a `read` that waits returns empty."""
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        if self._waiting is not None:
            asyncio.get_running_loop().remove_reader(descriptor)
            self._wake()
        os.close(descriptor)


class Pipes:
    """The three pipes and the control socket of one bot, both ends, until the bot has its own."""

    def __init__(self) -> None:
        self.control, self._far_control = socket.socketpair()
        self.control.setblocking(False)
        self._reading: list[int] = []
        self._writing: list[int] = []
        for _ in range(3):
            reading, writing = os.pipe()
            self._reading.append(reading)
            self._writing.append(writing)
            with suppress(OSError):
                fcntl.fcntl(reading, _SET_PIPE_SIZE, _PIPE_BYTES)

    @property
    def far_ends(self) -> list[int]:
        """The descriptors that go to the bot: output, error, channel, control."""
        return [*self._writing, self._far_control.fileno()]

    def close_far_ends(self) -> None:
        """Close this process's copies of what the bot holds, so that the ends of the pipes can be seen."""
        for descriptor in self._writing:
            os.close(descriptor)
        self._writing.clear()
        self._far_control.close()

    def inodes(self) -> list[int]:
        """Return the numbers that name the pipes in this machine."""
        return [os.fstat(descriptor).st_ino for descriptor in self._reading]

    def sources(self) -> list[PipeSource]:
        """Return the reading ends, which are the caller's from now on."""
        sources = [PipeSource(descriptor) for descriptor in self._reading]
        self._reading.clear()
        return sources

    def close(self) -> None:
        """Close whatever is still here."""
        self.close_far_ends()
        for descriptor in self._reading:
            os.close(descriptor)
        self._reading.clear()


class Refused(Exception):
    """A host would not fork; the text says why."""


class KeptProcess:
    """A bot behind its keeper."""

    def __init__(self, pipes: Pipes, *, warm: bool, note: str, signal_group: bool) -> None:
        self.pid = 0
        self.warm = warm
        self.note = note
        self._signal_group = signal_group
        self._pipes = pipes
        self._pipe_inodes = pipes.inodes()
        sources = pipes.sources()
        self.standard_output: ByteSource = sources[0]
        self.standard_error: ByteSource = sources[1]
        self.channel: ByteSource = sources[2]
        self._started_at: float | None = None
        self._keeper: psutil.Process | None = None
        self._ended: asyncio.Future[ExitFacts] = asyncio.get_running_loop().create_future()
        self._obeyed = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self, timeout_seconds: float) -> None:
        """Wait for the keeper's first word; raise `CannotStart`, or `Refused` where the host would not fork."""
        reader, self._writer = await asyncio.open_connection(sock=self._pipes.control)
        try:
            async with asyncio.timeout(timeout_seconds):
                line = await reader.readline()
        except (TimeoutError, OSError):
            await self.close()
            raise Refused("the interpreter did not answer") from None
        words = json.loads(line) if line.endswith(b"\n") else {"refused": "the interpreter ended"}
        if "started" not in words:
            await self.close()
            if "refused" in words:
                raise Refused(words["refused"])
            raise CannotStart(str(words["failed"]))
        self.pid = int(words["started"])
        with suppress(psutil.Error):
            bot = psutil.Process(self.pid)
            self._started_at = bot.create_time()
            self._keeper = bot.parent()
        self._listening = asyncio.create_task(self._listen(reader))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        words = await _next_words(reader)
        while "done" in words:
            self._obeyed.set()
            words = await _next_words(reader)
        if words:
            facts = ExitFacts(
                exit_code=words["ended"],
                cpu_seconds=words["cpu_seconds"],
                peak_memory_bytes=words["peak_memory_bytes"],
                left_behind=tuple(words["left_behind"]),
            )
        else:
            # The keeper itself was killed; the bot dies with it, what the bot had started may not.
            await asyncio.to_thread(self._end_orphans)
            facts = ExitFacts(None)
        if not self._ended.done():
            self._ended.set_result(facts)
        self._obeyed.set()

    def _end_orphans(self) -> None:
        """End what can still be told to be the bot's: its session, and whoever holds its pipes."""
        processes.end(self.identities(), NO_MARKER)
        holders = processes.holders_of_pipes(self._pipe_inodes)
        processes.end({process.pid: process.create_time() for process in holders}, NO_MARKER)

    async def wait(self) -> ExitFacts:
        """Return once the main process has ended and the rest of its tree with it."""
        return await asyncio.shield(self._ended)

    async def terminate(self) -> None:
        """Ask politely, by SIGTERM to the main process or its group."""
        await self._tell(f"signal {int(signal.SIGTERM)}{' group' if self._signal_group else ''}")

    async def kill(self) -> None:
        """End the whole tree; returns when it is gone."""
        if self._ended.done():
            return
        await self._tell("kill")
        try:
            async with asyncio.timeout(_KEEPER_LIMIT_SECONDS):
                await self.wait()
        except TimeoutError:
            await asyncio.to_thread(self._end_orphans)

    async def _tell(self, line: str) -> None:
        if self._writer is None or self._ended.done():
            return
        self._obeyed.clear()
        with suppress(OSError, TimeoutError):
            self._writer.write(line.encode("ascii") + b"\n")
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._writer.drain()
                await self._obeyed.wait()

    def _tree(self) -> list[psutil.Process]:
        if self._keeper is None or self._ended.done():
            return []
        return processes.below(self._keeper.pid) if self._keeper.is_running() else []

    async def pause(self) -> None:
        """Halt every process of the tree; returns when they stand."""
        await processes.halt(self._tree)

    def resume(self) -> None:
        """Let every process of the tree go on."""
        processes.each(self._tree(), psutil.Process.resume)

    def use(self) -> TreeUse:
        """Measure the tree; all zero where it is gone."""
        return processes.measure(self._tree())

    def identities(self) -> dict[int, float]:
        """Return the bot's and the keeper's pids with their start times."""
        found = {self.pid: self._started_at} if self._started_at is not None else {}
        if self._keeper is not None:
            found[self._keeper.pid] = self._keeper.create_time()
        return {pid: started for pid, started in found.items() if started is not None}

    async def close(self) -> None:
        """Release what is held."""
        if self._listening is not None:
            self._listening.cancel()
        if self._writer is not None:
            self._writer.close()
        for source in (self.standard_output, self.standard_error, self.channel):
            source.close()


async def _next_words(reader: asyncio.StreamReader) -> dict[str, Any]:
    """Return the keeper's next line, empty where there is none any more."""
    line = b""
    with suppress(OSError, ValueError):
        line = await reader.readline()
    words: dict[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
    return words


class AdvisoryLock:
    """A flock(2) lock on a file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Free it; may be called again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def lock_file(path: Path, *, shared: bool) -> AdvisoryLock | None:
    """Lock a file, made where missing, without waiting; None where another holder is in the way.

    A file that was removed while it was being locked is no lock; the next try makes a new one.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            same = os.path.samestat(os.fstat(descriptor), os.stat(path))
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            same = False
        if same:
            return AdvisoryLock(descriptor)
        os.close(descriptor)
