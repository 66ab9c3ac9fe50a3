"""The stream of events: read once a node from the outbox, handed to all who watch, from any position on."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from controlroom.foundation import outbox
from controlroom.foundation.bus import Bus
from controlroom.foundation.database import Database
from controlroom.foundation.errors import ControlRoomError
from controlroom.foundation.outbox import Event
from controlroom.foundation.pace import Pace
from controlroom.foundation.telemetry import logger
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import At
from controlroom.server.live.places import EventPlaces

_RING_EVENTS = 5_000
_READ_EVENTS = 500
_MISSED_WAKE_SECONDS = 2.0
_READ_SECONDS = 0.1

_RIGHTS = {
    "run": Permission.RUN_READ,
    "bot": Permission.BOT_READ,
    "device": Permission.DEVICE_READ,
    "pool": Permission.DEVICE_READ,
    "user": Permission.USER_READ,
    "session": Permission.USER_READ,
    "api_key": Permission.USER_READ,
}

log = logger("server.live")


@dataclass(frozen=True, slots=True)
class Watch:
    """Which events someone wants: kinds that begin so (all where empty), about one subject (any where empty)."""

    kinds: tuple[str, ...] = ()
    subject: str = ""

    def wants(self, event: Event, caller: Caller, at: At) -> bool:
        """Say whether an event about a thing in some place is wanted, and the caller may know of it."""
        right = _RIGHTS.get(event.kind.partition(".")[0])
        return (
            right is not None
            and caller.may(right, at)
            and (not self.kinds or event.kind.startswith(self.kinds))
            and self.subject in ("", event.subject)
        )


class EventHub:
    """Keeps the newest events in memory; whoever is further behind reads the outbox."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._ring: deque[Event] = deque(maxlen=_RING_EVENTS)
        self._position = 0
        self._changed = asyncio.Condition()
        self.places = EventPlaces(database)

    async def run_forever(self) -> None:
        """Follow the outbox until cancelled; a lost wake is made up for within two seconds."""
        pace = Pace(_READ_SECONDS)
        async with self._bus.subscribe(outbox.TOPIC) as subscription:
            while True:
                await pace.wait()
                try:
                    await self._read_on()
                except ControlRoomError as error:
                    log.warning("events.delayed", reason=error.detail)
                await subscription.wait(_MISSED_WAKE_SECONDS)

    async def start(self) -> None:
        """Take the newest position as the beginning."""
        async with self._database.read() as session:
            self._position = await outbox.last_position(session)
        await self.places.read()

    @property
    def position(self) -> int:
        """The newest position that this node has read."""
        return self._position

    async def _read_on(self) -> None:
        while True:
            async with self._database.read() as session:
                events = await outbox.read_events(session, after=self._position, limit=_READ_EVENTS)
            if events:
                await self.places.follow(events)
                self._ring.extend(events)
                self._position = events[-1].position
                async with self._changed:
                    self._changed.notify_all()
            if len(events) < _READ_EVENTS:
                return

    async def follow(self, after: int, *, idle_seconds: float) -> AsyncIterator[Sequence[Event]]:
        """Give events behind a position, in order, without a gap; an empty list after each idle time.

        Ends where the position is too old to go on from: the watcher must load its page anew.
        """
        while True:
            events = await self._behind(after)
            if events is None:
                return
            if events:
                after = events[-1].position
                yield events
                continue
            try:
                async with asyncio.timeout(idle_seconds), self._changed:
                    await self._changed.wait_for(lambda after=after: self._position > after)  # type: ignore[misc]  # bound now, on purpose
            except TimeoutError:
                yield ()

    async def _behind(self, after: int) -> Sequence[Event] | None:
        if after == self._position:
            return ()
        if after > self._position:  # from a node that has read further, or from another database
            async with self._database.read() as session:
                return () if after <= await outbox.last_position(session) else None
        if self._ring and self._ring[0].position <= after + 1:
            return [event for event in self._ring if event.position > after]
        async with self._database.read() as session:
            first = await outbox.first_position(session)
            if first == 0 or (first > after + 1 and after > 0):
                return None
            return await outbox.read_events(session, after=after, limit=_READ_EVENTS)
