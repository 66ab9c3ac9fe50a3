"""How fast the link tries again, and how long it waits for what."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Times of the link, in seconds."""

    first_retry: float = 0.5
    longest_retry: float = 30.0
    stable: float = 10.0
    """A connection that held this long makes the next wait a short one again."""
    refused_retry: float = 60.0
    """After a refusal, which only a person can change."""
    welcome: float = 10.0
    websocket_again: float = 300.0
    """After this long over long poll WebSockets are tried again; doubled each time in vain."""
    websocket_again_longest: float = 7200.0
    stall: float = 30.0
    """Reports unanswered for this long are sent again on the same connection."""


class Backoff:
    """Waits that double from try to try up to a limit, each drawn at random between a fifth of it and all of it.

    The chance keeps the runners of a restarted Control Room from coming back in step.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._tries = 0

    def next_seconds(self) -> float:
        """Return how long to wait before the next try."""
        whole = min(self._pace.longest_retry, self._pace.first_retry * 2.0 ** min(self._tries, 16))
        self._tries += 1
        return whole * random.uniform(0.2, 1.0)  # noqa: S311  # nosec B311: spreads load, keeps no secret

    def reset(self) -> None:
        """Begin with short waits again."""
        self._tries = 0
