"""Which reports are to be sent next: a lane for each attempt, a window on each lane, lanes in turn.

A lane knows how far the Control Room has got and how far this connection has sent. An acknowledgement moves the
first on; one that goes back, or none at all for long, sends the lane back there. Reports are sent more than once
rather than not at all: their numbers let the Control Room apply each exactly once.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from controlroom.foundation.telemetry import logger
from controlroom.protocol.messages import Ack
from controlroom.runner.spool import Entry, Spool

WINDOW_REPORTS = 64
WINDOW_BYTES = 4 * 1024 * 1024
_BATCH_BYTES = 1024 * 1024
_MOVING_SECONDS = 15.0
"""A Control Room that acknowledged something this recently is worth waiting for when a spool is crowded."""
_ROOM_CHECK_SECONDS = 1.0

Gate = Callable[[str, Entry], Entry | None]
"""Says what goes out for an entry: itself, another in its place, or None to hold the lane until `Outbox.wake`."""

_log = logger("runner.link")


def open_gate(_attempt_id: str, entry: Entry) -> Entry:
    """Let everything through."""
    return entry


@dataclass(slots=True)
class _Lane:
    attempt_id: str
    spool: Spool
    acked: int
    sent: int
    in_flight: deque[tuple[int, int]] = field(default_factory=deque)
    """Number and size of what was sent and not acknowledged, oldest first."""
    in_flight_bytes: int = 0
    turn: int = 0
    """Raised whenever ``sent`` is set back, so that a read that was on its way then is thrown away."""
    moved_at: float = 0.0
    removed: bool = False

    def go_back(self, to: int) -> None:
        self.acked = self.sent = to
        self.in_flight.clear()
        self.in_flight_bytes = 0
        self.turn += 1

    def advance(self, number: int) -> None:
        self.acked = number
        self.sent = max(self.sent, number)
        while self.in_flight and self.in_flight[0][0] <= number:
            self.in_flight_bytes -= self.in_flight.popleft()[1]


class Outbox:
    """The lanes of all attempts. For one event loop."""

    def __init__(self, gate: Gate = open_gate) -> None:
        self._gate = gate
        self._lanes: dict[str, _Lane] = {}
        self._order: deque[str] = deque()
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()
        self._connected = False
        self._moved_at = 0.0

    def add(self, attempt_id: str, spool: Spool) -> None:
        """Open a lane for an attempt, from the oldest report that its spool still holds."""
        self._lanes[attempt_id] = _Lane(attempt_id, spool, spool.first - 1, spool.first - 1)
        self._order.append(attempt_id)
        spool.on_change = self.wake
        self.wake()

    def remove(self, attempt_id: str) -> None:
        """Close an attempt's lane: nothing more of it is sent."""
        lane = self._lanes.pop(attempt_id, None)
        if lane is not None:
            lane.removed = True
            self._order.remove(attempt_id)
        self._signal_moved()

    def connected(self) -> None:
        """Begin on a new connection: whatever was under way on the last one is sent again."""
        self._connected = True
        self._moved_at = time.monotonic()
        for lane in self._lanes.values():
            lane.go_back(lane.acked)
        self.wake()

    def disconnected(self) -> None:
        """Take note that nothing can be sent."""
        self._connected = False
        self._signal_moved()

    def wake(self) -> None:
        """Look again for something to send."""
        self._wake.set()

    async def acknowledge(self, ack: Ack) -> None:
        """Move a lane on, or back to where the Control Room says it is."""
        lane = self._lanes.get(ack.attempt_id)
        if lane is None:
            return
        if ack.number < lane.acked:
            _log.info("runner.sent_back", attempt_id=ack.attempt_id, number=ack.number, expected=lane.acked)
            lane.go_back(ack.number)
        elif ack.number > lane.acked:
            lane.advance(ack.number)
            lane.moved_at = self._moved_at = time.monotonic()
            await lane.spool.acknowledge(ack.number)
        self._signal_moved()
        self.wake()

    def resend_stalled(self, after_seconds: float) -> None:
        """Send again what has been under way for so long without a word."""
        now = time.monotonic()
        for lane in self._lanes.values():
            if lane.in_flight and now - lane.moved_at > after_seconds:
                _log.warning("runner.resent", attempt_id=lane.attempt_id, number=lane.acked + 1)
                lane.go_back(lane.acked)
                self.wake()

    async def next_batch(self) -> list[bytes]:
        """Wait for reports to send and return some of one attempt, encoded, in order."""
        while True:
            self._wake.clear()
            for _ in range(len(self._order)):
                self._order.rotate(-1)
                lane = self._lanes[self._order[-1]]
                if batch := await self._take(lane):
                    return batch
                if not self._order:
                    break
            await self._wake.wait()

    async def wait_until_delivered(self) -> None:
        """Wait until everything that is written is acknowledged."""
        while any(lane.acked < lane.spool.last for lane in self._lanes.values()):
            self._moved.clear()
            await self._moved.wait()

    async def wait_for_room(self, spool: Spool) -> None:
        """Hold the writer of a crowded spool back while the Control Room is there to empty it.

        While it is away nobody waits, and the oldest log lines give way.
        """
        while spool.crowded and self._connected and time.monotonic() - self._moved_at < _MOVING_SECONDS:
            self._moved.clear()
            try:
                async with asyncio.timeout(_ROOM_CHECK_SECONDS):
                    await self._moved.wait()
            except TimeoutError:
                continue

    async def _take(self, lane: _Lane) -> list[bytes]:
        room = WINDOW_REPORTS - len(lane.in_flight)
        if room <= 0 or lane.in_flight_bytes >= WINDOW_BYTES or lane.sent >= lane.spool.last:
            return []
        turn, sent = lane.turn, lane.sent
        entries = await lane.spool.read(sent + 1, reports=room, limit_bytes=_BATCH_BYTES)
        if lane.turn != turn or lane.sent != sent or lane.removed:
            self.wake()
            return []
        batch: list[bytes] = []
        if not lane.in_flight:
            lane.moved_at = time.monotonic()
        for entry in entries:
            passed = self._gate(lane.attempt_id, entry)
            if passed is None:
                break
            batch.append(passed.payload)
            lane.in_flight.append((entry.number, len(passed.payload)))
            lane.in_flight_bytes += len(passed.payload)
            lane.sent = entry.number
        return batch

    def _signal_moved(self) -> None:
        self._moved.set()
