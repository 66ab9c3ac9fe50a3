"""The one place where it is noted that an attempt is to stop, why, and how long it still has."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from controlroom.protocol.messages import Outcome
from controlroom.runner.execution.endings import Stop

T = TypeVar("T")


class Stopped(Exception):
    """The attempt was stopped before its bot ran."""


class StopSwitch:
    """Holds the first reason to stop; a kill overrides it, and a later request may only shorten the grace time."""

    def __init__(self) -> None:
        self.stop: Stop | None = None
        self.deadline = float("inf")
        """Loop time at which the whole tree is killed."""
        self.changed = asyncio.Event()
        """Set at every request; whoever acts on it clears it."""
        self._requested = asyncio.Event()

    def request(self, stop: Stop, grace_seconds: float) -> None:
        """Ask for a stop. A grace time of 0 means at once."""
        if self.stop is None or stop.outcome is Outcome.LOST:
            self.stop = stop
        self.deadline = min(self.deadline, asyncio.get_running_loop().time() + max(0.0, grace_seconds))
        self._requested.set()
        self.changed.set()

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """Do some work; cancel it and raise `Stopped` as soon as a stop is asked for."""
        task = asyncio.ensure_future(work)
        stopping = asyncio.create_task(self._requested.wait())
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if self._requested.is_set():
                raise Stopped
            return await task
        finally:
            stopping.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
