"""Open pages are told together, of all that concerns them and nothing else; who is slow is told once, of all of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from controlroom.audit.actor import SYSTEM
from controlroom.foundation import outbox
from controlroom.foundation.bus.memory import MemoryBus
from controlroom.foundation.database import Database
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import EVERYWHERE
from controlroom.server.live import events as events_module
from controlroom.server.live.events import EventHub, Watch
from controlroom.server.live.gathering import Gathering
from controlroom.web.live.budget import LiveBudget

READER = Caller(SYSTEM, "usr_1", "ana", frozenset({Permission.RUN_READ}))
RUNS = Watch(("run.",))


class Told:
    """A hub with pages' gathering, and a way to let things happen."""

    def __init__(self, database: Database) -> None:
        bus = MemoryBus()
        database.wake_with(bus.wake)
        self.database = database
        self.hub = EventHub(database, bus)
        self.budget = LiveBudget()
        self.gathering = Gathering(self.hub, self.budget)

    async def emit(self, *kinds: str, subject: str = "run_1", **data: object) -> int:
        async with self.database.write() as transaction:
            for kind in kinds:
                outbox.emit(transaction, time=datetime.now(UTC), kind=kind, subject=subject, data=data)
        async with self.database.read() as session:
            return await outbox.last_position(session)

    async def until(self, position: int) -> None:
        """Wait until pages have been told up to a position."""
        async with asyncio.timeout(20):
            turn = self.gathering.turn
            while self.gathering.position < position:
                await turn.wait()
                turn = self.gathering.turn


@pytest.fixture
async def told(database: Database) -> AsyncIterator[Told]:
    made = Told(database)
    await made.hub.start()
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(part.run_forever()) for part in (made.hub, made.gathering)]
        yield made
        for each in running:
            each.cancel()


async def test_a_page_is_told_of_what_concerns_it_and_of_nothing_else(told: Told) -> None:
    before = told.gathering.position
    last = await told.emit("run.queued", "user.changed", subject="run_7", bot_id="bot_3")
    await told.until(last)
    for watch, concerns in (
        (RUNS, True),
        (Watch(("run.",), "run_7"), True),
        (Watch(("run.",), "run_8"), False),
        (Watch(("run.",), about="bot_3"), True),
        (Watch(("run.",), about="bot_4"), False),
        (Watch(("device.",)), False),
        (Watch(("user.",)), False),  # no right to it
        (Watch(), True),
    ):
        assert await told.gathering.concerns(watch, READER, before) is concerns, watch


async def test_one_answer_for_all_is_none_for_those_with_other_rights(told: Told) -> None:
    before = told.gathering.position
    await told.until(await told.emit("run.queued"))
    nobody = Caller(SYSTEM, "usr_2", "ben", frozenset({Permission.DEVICE_READ}))
    assert await told.gathering.concerns(RUNS, READER, before) is True
    assert await told.gathering.concerns(RUNS, nobody, before) is False


async def test_whatever_position_a_page_comes_with_it_is_told_of_what_it_missed_and_only_then(
    told: Told,
) -> None:
    positions = [
        await told.emit(kind) for kind in ("run.queued", "device.edited", "run.running", "device.edited")
    ]
    await told.until(positions[-1])
    answers = [await told.gathering.concerns(RUNS, READER, after) for after in (positions[0] - 1, *positions)]
    assert answers == [True, True, True, False, False]


async def test_who_was_away_for_long_is_told_from_the_database(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "_READ_EVENTS", 5)
    before = await told.emit("run.queued")
    await told.until(before)
    last = await told.emit(*["device.edited"] * 30)
    await told.until(last)
    told.hub._ring.clear()
    assert await told.gathering.concerns(RUNS, READER, before) is False
    assert await told.gathering.concerns(RUNS, READER, before - 1) is True


async def test_who_was_away_for_longer_than_events_are_kept_loads_anew(told: Told) -> None:
    first = await told.emit("run.queued")
    last = await told.emit("run.running", "run.succeeded")
    await told.until(last)
    async with told.database.write() as transaction:
        await outbox.forget_events(transaction, before=datetime.now(UTC))
    told.hub._ring.clear()
    assert await told.gathering.concerns(RUNS, READER, first) is None
    assert await told.gathering.concerns(RUNS, READER, last + 1_000) is None


async def test_no_round_begins_before_the_turns_of_the_last_are_over_but_rights_are_looked_at(
    told: Told,
) -> None:
    await told.until(await told.emit("run.queued"))
    for _ in range(100_000):
        told.budget.turn()  # as if so many pages had been told
    here, turn = told.gathering.position, told.gathering.turn
    await told.emit("run.running")
    await told.emit("session.changed", subject="usr_1", change="ended")
    async with asyncio.timeout(20):
        await turn.wait()
    assert told.gathering.position == here


async def test_all_that_happens_within_a_round_is_told_once(told: Told) -> None:
    await told.until(await told.emit("run.queued"))
    before = told.gathering.position
    turns, turn = 0, told.gathering.turn
    last = 0
    for _ in range(20):
        last = await told.emit("run.running")
    async with asyncio.timeout(20):
        while told.gathering.position < last:
            await turn.wait()
            turns, turn = turns + 1, told.gathering.turn
    assert turns < 20
    assert await told.gathering.concerns(RUNS, READER, before) is True


@pytest.mark.parametrize(
    ("kind", "right"),
    [("site.declared", Permission.NETWORK_READ), ("setting.changed", Permission.SETTINGS_READ)],
)
async def test_sites_and_settings_are_told_to_those_who_may_read_them(
    told: Told, kind: str, right: Permission
) -> None:
    before = told.gathering.position
    await told.until(await told.emit(kind, subject="7"))
    (event,) = await told.hub.behind(before) or ()
    watch = Watch((kind,))
    assert watch.wants(event, replace(READER, permissions=frozenset({right})), EVERYWHERE)
    assert not watch.wants(event, READER, EVERYWHERE)
