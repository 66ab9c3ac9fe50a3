"""Time as the product sees it: aware UTC, read from a clock that is passed in."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Gives the present moment; tests pass one that they steer."""

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        ...


class SystemClock:
    """The clock of the operating system."""

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        return datetime.now(UTC)
