"""The stream of events: read once a node from the outbox, handed to all who watch, from any position on."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

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
_RIGHTS_CHANGE = ("user.", "session.", "api_key.")
"""Kinds of events, by how they begin, after which someone may have lost the right to watch."""

_RIGHTS = {
    "run": Permission.RUN_READ,
    "bot": Permission.BOT_READ,
    "device": Permission.DEVICE_READ,
    "pool": Permission.DEVICE_READ,
    "user": Permission.USER_READ,
    "session": Permission.USER_READ,
    "api_key": Permission.USER_READ,
    "site": Permission.NETWORK_READ,
    "setting": Permission.SETTINGS_READ,
}

log = logger("server.live")


@dataclass(frozen=True, slots=True)
class Watch:
    """Which events someone wants: kinds that begin so (all where empty), about one subject (any where empty).

    With ``about`` it need not be the subject: it is enough that the event mentions the id.
    """

    kinds: tuple[str, ...] = ()
    subject: str = ""
    about: str = ""

    def wants(self, event: Event, caller: Caller, at: At) -> bool:
        """Say whether an event about a thing in some place is wanted, and the caller may know of it."""
        right = _RIGHTS.get(event.kind.partition(".")[0])
        return (
            right is not None
            and caller.may(right, at)
            and (not self.kinds or event.kind.startswith(self.kinds))
            and self.subject in ("", event.subject)
            and (not self.about or self.about in ids_of(event))
        )


def ids_of(event: Event) -> set[str]:
    """Return the ids that an event mentions: of its subject, and of what its data names."""
    return {event.subject, *(value for value in event.data.values() if isinstance(value, str))}


class EventHub:
    """Keeps the newest events in memory; whoever is further behind reads the outbox."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._ring: deque[Event] = deque(maxlen=_RING_EVENTS)
        self._position = 0
        self._turn = asyncio.Event()
        self.rights_changes = 0
        """Counts events after which each watcher's rights are looked at, at once."""
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

    @property
    def sight(self) -> int:
        """Counts how often things have come to lie in other places, as far as this node has read."""
        return self.places.sight

    @property
    def turn(self) -> asyncio.Event:
        """Set when more has been read; take it before looking at what there is, and wait for it afterwards."""
        return self._turn

    async def _read_on(self) -> None:
        while True:
            async with self._database.read() as session:
                events = await outbox.read_events(session, after=self._position, limit=_READ_EVENTS)
            if events:
                await self.places.follow(events)
                self._ring.extend(events)
                self._position = events[-1].position
                self.rights_changes += any(event.kind.startswith(_RIGHTS_CHANGE) for event in events)
                self._turn.set()
                self._turn = asyncio.Event()
            if len(events) < _READ_EVENTS:
                return

    async def follow(self, after: int, *, idle_seconds: float) -> AsyncIterator[Sequence[Event]]:
        """Give events behind a position, in order, without a gap; an empty list after each idle time.

        Ends where the position is too old to go on from: the watcher must load its page anew.
        """
        while True:
            turn = self._turn
            events = await self.behind(after)
            if events is None:
                return
            if events:
                after = events[-1].position
                yield events
                continue
            try:
                async with asyncio.timeout(idle_seconds):
                    await turn.wait()
            except TimeoutError:
                yield ()

    def kept(self, after: int) -> Sequence[Event] | None:
        """Return the events behind a position where all of them are kept in memory, oldest first."""
        if not self._ring or self._ring[0].position > after + 1:
            return None
        return list(takewhile(lambda event: event.position > after, reversed(self._ring)))[::-1]

    async def behind(self, after: int) -> Sequence[Event] | None:
        """Return the events behind a position that can be had at once, oldest first; None where it is too old."""
        if after == self._position:
            return ()
        if after > self._position:  # from a node that has read further, or from another database
            async with self._database.read() as session:
                return () if after <= await outbox.last_position(session) else None
        kept = self.kept(after)
        if kept is not None:
            return kept
        async with self._database.read() as session:
            first = await outbox.first_position(session)
            if first == 0 or (first > after + 1 and after > 0):
                return None
            return await outbox.read_events(session, after=after, limit=_READ_EVENTS)
