"""The embedded bus: wakes within one process."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress


class MemorySubscription:
    """A listener of the embedded bus. What it holds is bounded by the number of distinct topics between two waits."""

    def __init__(self, topics: Sequence[str]) -> None:
        self._exact = {topic for topic in topics if not topic.endswith("*")}
        self._prefixes = tuple(topic[:-1] for topic in topics if topic.endswith("*"))
        self._woken: set[str] = set()
        self._event = asyncio.Event()

    def offer(self, topic: str) -> None:
        """Take note of a wake if it concerns this listener."""
        if topic in self._exact or (self._prefixes and topic.startswith(self._prefixes)):
            self._woken.add(topic)
            self._event.set()

    async def wait(self, timeout_seconds: float) -> frozenset[str]:
        """Return the topics woken since the last call, or an empty set after the timeout."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._event.wait()
        woken = frozenset(self._woken)
        self._woken.clear()
        self._event.clear()
        return woken


class MemoryBus:
    """Wakes within one process, at once."""

    def __init__(self) -> None:
        self._subscriptions: set[MemorySubscription] = set()

    async def wake(self, topics: Sequence[str]) -> None:
        """Wake every listener of these topics."""
        for subscription in tuple(self._subscriptions):
            for topic in topics:
                subscription.offer(topic)

    @asynccontextmanager
    async def subscribe(self, *topics: str) -> AsyncIterator[MemorySubscription]:
        """Listen to topics; one that ends in ``*`` stands for all that begin so."""
        subscription = MemorySubscription(topics)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
