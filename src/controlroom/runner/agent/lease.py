"""The lease of an attempt, as its runner may believe in it."""

import sys
import time

_MARGIN_FRACTION = 0.1
_LEAST_MARGIN_SECONDS = 1.5
"""The runner looks at leases once a second, and ending a process tree takes its moment."""
_MOST_MARGIN_SECONDS = 5.0
_REMEMBERED_HEARTBEATS = 1024


def lease_clock() -> float:
    """Return seconds on a clock that nobody sets and that goes on while the machine sleeps, where there is one."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    else:  # noqa: RET505  # the type checker knows of platforms only in this form
        return time.monotonic()


class LeaseBook:
    """Knows until when leases surely last.

    The Control Room renews the leases that a heartbeat names when that heartbeat arrives, so they last at least their
    length from the moment it was *sent*: an order, a heartbeat or an answer that was late in the network makes none
    longer. An answer names its heartbeat; one that this runner does not remember gives nothing.
    """

    def __init__(self) -> None:
        self._sent: dict[int, float] = {}
        self._number = 0
        self._hello_at = lease_clock()
        self._lease_seconds = 0.0

    def hello_sent(self) -> None:
        """Take note that a connection is opened now; its hello is the first sign of life, answered as number 0."""
        self._hello_at = lease_clock()

    def welcomed(self, lease_seconds: float) -> None:
        """Begin on the connection that was opened; answers that an earlier one still owed will not come."""
        self._sent = {0: self._hello_at}
        self._lease_seconds = lease_seconds

    def heartbeat_sent(self) -> int:
        """Take note that a heartbeat goes out now, and return its number."""
        self._number += 1
        self._sent[self._number] = lease_clock()
        if len(self._sent) > _REMEMBERED_HEARTBEATS:
            del self._sent[next(iter(self._sent))]
        return self._number

    def renewed(self, heartbeat: int) -> float:
        """Return until when, on `lease_clock`, leases last that the answer to a heartbeat names; minus infinity for none.

        The time at which the runner must have ended what is no longer its own, a margin before the lease itself ends.
        """
        sent = self._sent.get(heartbeat)
        if sent is None:
            return float("-inf")
        wanted = min(max(self._lease_seconds * _MARGIN_FRACTION, _LEAST_MARGIN_SECONDS), _MOST_MARGIN_SECONDS)
        return sent + self._lease_seconds - min(wanted, self._lease_seconds / 2)
