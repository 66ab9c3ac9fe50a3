"""Pacing of rounds of work: the first begins at once, those that follow closely gather more to do."""

import asyncio
import time


class Pace:
    """Lets rounds begin no closer than ``seconds`` to each other, so that under load one does the work of several."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    async def wait(self) -> None:
        """Wait until the next round may begin; after a quiet time that is now."""
        delay = self._next - time.monotonic()
        if delay > 0:
            await asyncio.sleep(delay)
        self._next = time.monotonic() + self._seconds
