"""Tells open pages together: what happens in a short while is one message, and each page gets a turn to fetch itself.

A page keeps nothing here but its position. What it missed while it was away, or while its reader was slow, is looked up in
the events themselves, so that no queue grows behind anyone.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from controlroom.foundation.outbox import Event
from controlroom.identity.caller import Caller
from controlroom.server.live.events import EventHub, Watch, ids_of
from controlroom.server.live.places import EventPlaces
from controlroom.web.live.budget import LEAST_ROUND_SECONDS, LiveBudget
from controlroom.web.live.parts import Rights, rights_of

_LOOK_SECONDS = 2.0
_MOST_READS = 20
"""Of 500 events each; whoever is further behind loads the page anew."""


class Round:
    """What happened behind one position up to another; it answers once for all who watch the same with the same rights."""

    def __init__(self, after: int, position: int, events: Sequence[Event], places: EventPlaces) -> None:
        self.after = after
        self.position = position
        self._events = events
        self._places = places
        self._about: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            for each in ids_of(event):
                self._about[each].append(event)
        self._found: dict[tuple[Watch, Rights], bool] = {}

    def concerns(self, watch: Watch, caller: Caller) -> bool:
        """Say whether anything that happened is wanted, and the caller may know of it."""
        looked_for = watch.subject or watch.about
        events = self._about.get(looked_for, ()) if looked_for else self._events
        if not events:
            return False
        asked = (watch, rights_of(caller))
        if asked not in self._found:
            self._found[asked] = _any_wanted(events, watch, caller, self._places)
        return self._found[asked]


class Gathering:
    """The rounds of one node. A round ends when the turns are over that pages got in it."""

    def __init__(self, hub: EventHub, budget: LiveBudget, now: Callable[[], float] = time.monotonic) -> None:
        self._hub = hub
        self._budget = budget
        self._now = now
        self._turn = asyncio.Event()
        self._round: Round | None = None
        self._position: int | None = None
        self._begun = float("-inf")
        self._rights_changes = 0

    @property
    def position(self) -> int:
        """Up to which event pages have been told."""
        return self._hub.position if self._position is None else self._position

    @property
    def turn(self) -> asyncio.Event:
        """Set when there is something to be told, or each page's rights must be looked at."""
        return self._turn

    async def run_forever(self) -> None:
        """Begin rounds until cancelled: at once after a quiet time, and rights are looked at between them too."""
        self._position = self._hub.position
        while True:
            more = self._hub.turn
            wait = self._go_on()
            try:
                async with asyncio.timeout(wait):
                    await more.wait()
            except TimeoutError:
                continue

    def _go_on(self) -> float:
        """Do what is due; return after how many seconds to look again, unless something happens before."""
        hub, after = self._hub, self.position
        is_due = max(self._begun + LEAST_ROUND_SECONDS, self._budget.reserved_until) - self._now()
        if hub.position > after and is_due <= 0:
            self._begun = self._now()
            events = hub.kept(after)
            self._round = None if events is None else Round(after, hub.position, events, hub.places)
            self._position = hub.position
            self._wake()
        elif hub.rights_changes != self._rights_changes:
            self._wake()
        return is_due if hub.position > self.position else _LOOK_SECONDS

    def _wake(self) -> None:
        self._rights_changes = self._hub.rights_changes
        self._turn.set()
        self._turn = asyncio.Event()

    async def concerns(self, watch: Watch, caller: Caller, after: int) -> bool | None:
        """Say whether a page that was told up to a position must be told again; None where that is too long ago."""
        present = self._round
        if present is not None and present.after == after and present.position == self.position:
            return present.concerns(watch, caller)
        for _ in range(_MOST_READS):
            events = await self._hub.behind(after)
            if events is None:
                return None
            if not events:
                return False
            if _any_wanted(events, watch, caller, self._hub.places):
                return True
            after = events[-1].position
        return None


def _any_wanted(events: Sequence[Event], watch: Watch, caller: Caller, places: EventPlaces) -> bool:
    return any(watch.wants(event, caller, places.of(event)) for event in events)
