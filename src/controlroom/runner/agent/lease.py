"""The lease of an attempt, as its runner may believe in it."""

import sys
import time
from collections import deque

_MARGIN_FRACTION = 0.1
_MARGIN_SECONDS = 5.0
_OLDEST_FRACTION = 0.5
"""A heartbeat that was not answered within this part of a lease never will be: its answer was left out or joined with
a later one."""


def lease_clock() -> float:
    """Return seconds on a clock that nobody sets and that goes on while the machine sleeps, where there is one."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    else:  # noqa: RET505  # the type checker knows of platforms only in this form
        return time.monotonic()


class LeaseBook:
    """Knows until when leases surely last.

    The Control Room renews leases in answer to heartbeats, in their order, so a lease lasts at least its length from
    the moment the heartbeat was *sent*: an answer that was late in the network makes it no longer. An answer is taken
    for that to the oldest heartbeat it may belong to.
    """

    def __init__(self) -> None:
        self._unanswered: deque[float] = deque(maxlen=1024)
        self._hello_at = self._answered_at = lease_clock()
        self._lease_seconds = 0.0

    def hello_sent(self) -> None:
        """Take note that a connection is opened now; its hello is the first sign of life."""
        self._hello_at = lease_clock()

    def welcomed(self, lease_seconds: float) -> None:
        """Begin on the connection that was opened."""
        self._unanswered.clear()
        self._answered_at = self._hello_at
        self._lease_seconds = lease_seconds

    def heartbeat_sent(self) -> None:
        """Take note that a heartbeat which names attempts goes out now."""
        self._unanswered.append(lease_clock())

    def renewed(self) -> None:
        """Take note that a heartbeat was answered."""
        oldest = lease_clock() - self._lease_seconds * _OLDEST_FRACTION
        while len(self._unanswered) > 1 and self._unanswered[0] < oldest:
            self._unanswered.popleft()
        if self._unanswered:
            self._answered_at = self._unanswered.popleft()

    def lasts_until(self) -> float:
        """Return when a lease that was given or renewed just now is to be taken as over, on `lease_clock`."""
        margin = min(self._lease_seconds * _MARGIN_FRACTION, _MARGIN_SECONDS)
        return self._answered_at + self._lease_seconds - margin
