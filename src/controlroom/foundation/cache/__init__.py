"""The cache: remembers for a while what can be found again. Losing all of it loses nothing."""

from typing import Protocol


class Cache(Protocol):
    """Keeps small values for a bounded time."""

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None where it is unknown or has expired."""
        ...

    async def set(self, key: str, value: bytes, ttl_seconds: float) -> None:
        """Keep a value for a time."""
        ...

    async def increment(self, key: str, ttl_seconds: float) -> int:
        """Add one to a counter that starts at 0 and lives for a time from its first increment; return the new value."""
        ...

    async def delete(self, key: str) -> None:
        """Forget a value."""
        ...
