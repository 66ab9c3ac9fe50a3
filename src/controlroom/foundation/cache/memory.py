"""The embedded cache: a bounded dictionary in one process, oldest entry first to go."""

from collections import OrderedDict

from controlroom.foundation.clock import Clock

_LIMIT = 50_000


class MemoryCache:
    """Keeps up to ``limit`` values in this process."""

    def __init__(self, clock: Clock, limit: int = _LIMIT) -> None:
        self._clock = clock
        self._limit = limit
        self._values: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None where it is unknown or has expired."""
        entry = self._values.get(key)
        if entry is None:
            return None
        if entry[0] <= self._now():
            del self._values[key]
            return None
        return entry[1]

    async def set(self, key: str, value: bytes, ttl_seconds: float) -> None:
        """Keep a value for a time."""
        self._values[key] = (self._now() + ttl_seconds, value)
        self._values.move_to_end(key)
        while len(self._values) > self._limit:
            self._values.popitem(last=False)

    async def increment(self, key: str, ttl_seconds: float) -> int:
        """Add one to a counter that starts at 0 and lives for a time from its first increment; return the new value."""
        entry = self._values.get(key)
        if entry is None or entry[0] <= self._now():
            await self.set(key, b"1", ttl_seconds)
            return 1
        count = int(entry[1]) + 1
        self._values[key] = (entry[0], str(count).encode())
        return count

    async def delete(self, key: str) -> None:
        """Forget a value."""
        self._values.pop(key, None)

    def _now(self) -> float:
        return self._clock.now().timestamp()
