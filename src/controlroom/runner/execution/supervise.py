"""Watches over a bot's processes: time-out, cancel with grace, limits of memory, processes and artifact space."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from controlroom.protocol.messages import Outcome
from controlroom.protocol.plan import Limits
from controlroom.runner.execution.endings import Stop
from controlroom.runner.execution.stopping import StopSwitch
from controlroom.runner.platform.contract import BotProcess, ExitFacts, TreeUse

_LIMITED_SAMPLE_SECONDS = 0.25
_PLAIN_SAMPLE_SECONDS = 2.0
_SPACE_SAMPLE_SECONDS = 2.0
_MEGABYTE = 1024 * 1024


class Stopwatch:
    """Measures the time that a bot could use: the time it was halted does not count. Seconds of the loop's clock."""

    def __init__(self) -> None:
        self._started = asyncio.get_running_loop().time()
        self._halted_at: float | None = None
        self._halted = 0.0

    @property
    def halted(self) -> bool:
        """Whether it stands still."""
        return self._halted_at is not None

    def halt(self) -> None:
        """Stand still."""
        self._halted_at = asyncio.get_running_loop().time()

    def go_on(self) -> None:
        """Run again."""
        if self._halted_at is not None:
            self._halted += asyncio.get_running_loop().time() - self._halted_at
            self._halted_at = None

    def seconds(self) -> float:
        """Return what has passed."""
        until = self._halted_at or asyncio.get_running_loop().time()
        return until - self._started - self._halted


@dataclass(slots=True)
class Supervision:
    """Watches one process tree until it has ended. ``peak_memory_bytes`` is the largest sum over the tree."""

    process: BotProcess
    limits: Limits
    grace_seconds: float
    switch: StopSwitch
    stopwatch: Stopwatch
    cancel_file: Path
    artifact_bytes: Callable[[], int]
    delivery: asyncio.Task[None]
    """Ends early only when reports cannot be delivered; the bot is killed then."""
    on_use: Callable[[TreeUse], None]
    """Told of each measurement of the tree."""
    peak_memory_bytes: int = 0
    _asked: bool = False
    _next_sample: float = 0
    _next_space_sample: float = 0

    async def until_ended(self) -> ExitFacts:
        """Return how the tree ended; raise what the delivery of reports raised, after killing the tree."""
        loop = asyncio.get_running_loop()
        self._next_sample = loop.time() + self._sample_seconds
        self._next_space_sample = loop.time() + _SPACE_SAMPLE_SECONDS
        ended = asyncio.ensure_future(self.process.wait())
        try:
            while not ended.done():
                changed = asyncio.create_task(self.switch.changed.wait())
                await asyncio.wait(
                    {ended, changed, self.delivery},
                    timeout=self._seconds_to_next(loop.time()),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                changed.cancel()
                self.switch.changed.clear()
                if not ended.done():
                    await self._act(loop.time())
            return await ended
        finally:
            if not ended.done():
                ended.cancel()
                await self.process.kill()

    @property
    def _sample_seconds(self) -> float:
        limited = self.limits.memory_mb or self.limits.processes
        return _LIMITED_SAMPLE_SECONDS if limited else _PLAIN_SAMPLE_SECONDS

    def _seconds_to_next(self, now: float) -> float:
        moments = [self._next_sample, self._next_space_sample, self.switch.deadline]
        if self.limits.timeout_seconds and not self.stopwatch.halted and self.switch.stop is None:
            moments.append(now + self.limits.timeout_seconds - self.stopwatch.seconds())
        return max(0.0, min(moments) - now)

    async def _act(self, now: float) -> None:
        if self.delivery.done():
            self.delivery.result()
        if self.switch.stop is None:
            self._check_time()
        if now >= self._next_sample:
            self._next_sample = now + self._sample_seconds
            use = self.process.use()
            self.on_use(use)
            self._check_use(use)
        if now >= self._next_space_sample:
            self._next_space_sample = now + _SPACE_SAMPLE_SECONDS
            await self._check_space()
        if self.switch.stop is not None:
            if asyncio.get_running_loop().time() >= self.switch.deadline:
                await self.process.kill()
            elif not self._asked:
                self._asked = True
                await self._ask_to_stop()

    async def _ask_to_stop(self) -> None:
        # The signal first: a bot that sees the file and ends would otherwise meet the signal while it ends.
        await self.process.terminate()
        with suppress(OSError):  # on a full disk the signal alone must do
            self.cancel_file.touch()
        self.stopwatch.go_on()
        self.process.resume()

    def _check_time(self) -> None:
        limit = self.limits.timeout_seconds
        if limit and self.stopwatch.seconds() >= limit:
            self.switch.request(
                Stop(Outcome.TIMED_OUT, f"The bot ran longer than its limit of {limit:g} s."),
                self.grace_seconds,
            )

    def _check_use(self, use: TreeUse) -> None:
        self.peak_memory_bytes = max(self.peak_memory_bytes, use.memory_bytes)
        memory_mb, processes = self.limits.memory_mb, self.limits.processes
        if memory_mb and use.memory_bytes > memory_mb * _MEGABYTE:
            self._fail(
                f"The bot used {use.memory_bytes // _MEGABYTE:,} MB of memory; its limit is {memory_mb:,} MB."
            )
        elif processes and use.processes > processes:
            self._fail(f"The bot had {use.processes:,} processes; its limit is {processes:,}.")

    async def _check_space(self) -> None:
        limit_mb = self.limits.artifacts_mb
        if limit_mb:
            size = await asyncio.to_thread(self.artifact_bytes)
            if size > limit_mb * _MEGABYTE:
                self._fail(
                    f"The bot wrote {size // _MEGABYTE:,} MB of artifacts; its limit is {limit_mb:,} MB."
                )

    def _fail(self, reason: str) -> None:
        self.switch.request(Stop(Outcome.FAILED, reason), 0)
