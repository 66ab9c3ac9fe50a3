"""The dashboard's figures on both databases: they follow what runs do, and show nobody more than they may see."""

from datetime import datetime, timedelta, tzinfo
from importlib import import_module

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select, text, update

from controlroom.devices.models import Device
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import Place, Placed, PlaceKind
from controlroom.insight.service import InsightService
from controlroom.insight.trends import Period
from controlroom.protocol.messages import Ended, Outcome, Started
from controlroom.runs.measures import (
    HOURS_KEPT,
    BotMeasure,
    RunMeasure,
    bucket_of,
    forget_hours_of_bots,
    middle_of,
    quantile,
)
from controlroom.runs.states import State
from runs.conftest import CALLER, Room, room

__all__ = ["room"]


@pytest.fixture
def insight(room: Room) -> InsightService:
    return InsightService(room.database, room.clock, room.dispatcher.settings)


async def finish(room: Room, outcome: Outcome, *, wait: float, take: float, message: str = "") -> str:
    """Ask for a run that waits and takes so many seconds; return its id."""
    run = await room.ask()
    room.clock.advance(wait)
    await keep_present(room)
    await room.dispatcher.assign_all()
    attempt = await room.attempt_of(run.id)
    await room.report(attempt, Started(room.clock.now().timestamp(), warm=True, environment="e", pid=1))
    room.clock.advance(take)
    await room.report(attempt, Ended(room.clock.now().timestamp(), outcome, 0, message))
    return run.id


async def keep_present(room: Room) -> None:
    """Let the devices be seen now, however far the clock was put forward."""
    async with room.database.write() as transaction:
        await transaction.session.execute(update(Device).values(seen_at=room.clock.now()))


async def test_the_four_answers_and_the_trends_follow_what_runs_do(
    room: Room, insight: InsightService
) -> None:
    await room.device("press", slots=1)
    for _ in range(3):
        await finish(room, Outcome.SUCCEEDED, wait=10, take=60)
    failed = await finish(room, Outcome.FAILED, wait=10, take=5, message="no paper")
    now_running = await room.ask()
    waiting = await room.ask()
    await keep_present(room)
    await room.dispatcher.assign_all()
    room.clock.advance(30)
    await keep_present(room)
    found = await insight.dashboard(CALLER)
    assert found.broken
    assert found.running
    assert found.waiting
    assert found.devices
    assert found.trends
    assert [(bot.failed, bot.run_id, bot.message) for bot in found.broken.bots] == [(1, failed, "no paper")]
    assert (found.running.starting, [each.run.id for each in found.running.runs]) == (1, [now_running.id])
    assert [each.run.id for each in found.waiting.runs] == [waiting.id]
    assert found.waiting.runs[0].because == "All 1 slot(s) of the 1 device(s) that fit are taken."
    assert (found.devices.online, found.devices.slots, found.devices.taken) == (1, 1, 1)
    assert len(found.trends) == 24
    newest = found.trends[-1]
    assert newest.outcomes == {State.SUCCEEDED: 3, State.FAILED: 1}
    assert newest.took_seconds == pytest.approx(60, rel=0.1)
    assert newest.waited_seconds == pytest.approx(10, rel=0.1)
    assert newest.busy_seconds == pytest.approx(3 * 60 + 5 + 30)


async def test_a_fortnight_adds_hours_up_to_days(room: Room, insight: InsightService) -> None:
    await room.device("press", slots=1)
    await finish(room, Outcome.SUCCEEDED, wait=1, take=100)
    room.clock.advance(3 * 3600)
    await finish(room, Outcome.SUCCEEDED, wait=1, take=100)
    room.clock.advance(86_400)
    await finish(room, Outcome.FAILED, wait=1, take=7_000)
    found = await insight.dashboard(CALLER, Period.FORTNIGHT)
    assert found.trends
    assert len(found.trends) == 14
    assert [sum(span.outcomes.values()) for span in found.trends[-2:]] == [2, 1]
    assert found.trends[-1].busy_seconds == pytest.approx(7_000)
    hours = (await insight.dashboard(CALLER)).trends
    assert hours
    assert sum(span.busy_seconds for span in hours) == pytest.approx(7_000)
    assert max(span.busy_seconds for span in hours) <= 3_600


async def test_nobody_sees_more_than_their_rights_open(room: Room, insight: InsightService) -> None:
    await room.device("press", slots=1)
    await finish(room, Outcome.FAILED, wait=1, take=1)
    await room.ask()
    nothing = await insight.dashboard(_with())
    assert (nothing.broken, nothing.running, nothing.waiting, nothing.devices, nothing.trends) == (None,) * 5
    devices_only = await insight.dashboard(_with(Permission.DEVICE_READ))
    assert devices_only.devices
    assert devices_only.broken is None
    elsewhere = Caller(CALLER.actor, "", "eve", frozenset({Permission.RUN_READ}), placed=Placed())
    limited = await insight.dashboard(elsewhere)
    assert limited.broken
    assert limited.waiting
    assert limited.trends
    assert (limited.broken.failed, limited.waiting.total) == (0, 0)
    assert not any(span.outcomes or span.waited or span.busy_seconds for span in limited.trends)


@pytest.mark.parametrize("period", list(Period))
async def test_who_sees_one_bot_has_the_trends_of_that_bot(
    room: Room, insight: InsightService, period: Period
) -> None:
    await room.device("press", slots=2)
    await finish(room, Outcome.SUCCEEDED, wait=5, take=40)
    await finish(room, Outcome.FAILED, wait=5, take=4_000)
    await keep_present(room)
    running = await room.start()
    room.clock.advance(60)
    other = _placed(Place(PlaceKind.BOT, "bot_other"))
    its_own = _placed(Place(PlaceKind.BOT, running.bot_id))

    everyone = (await insight.dashboard(CALLER, period)).trends

    assert everyone
    assert sum(span.outcomes.get(State.FAILED, 0) for span in everyone) == 1
    assert (await insight.dashboard(its_own, period)).trends == everyone
    assert not any(
        span.outcomes or span.busy_seconds for span in (await insight.dashboard(other, period)).trends or ()
    )


async def test_hours_of_bots_are_forgotten_and_days_are_kept(room: Room) -> None:
    await room.device("press", slots=1)
    await finish(room, Outcome.SUCCEEDED, wait=1, take=10)
    async with room.database.write() as transaction:
        await forget_hours_of_bots(transaction, room.clock.now() + HOURS_KEPT - timedelta(hours=1))
    assert {daily for daily, *_ in await measured(room)} == {True, False}
    async with room.database.write() as transaction:
        await forget_hours_of_bots(transaction, room.clock.now() + HOURS_KEPT)
    assert {daily for daily, *_ in await measured(room)} == {True}


async def test_the_migration_counts_for_bots_what_the_server_would_have(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = import_module("controlroom.server.migrations.versions.0016_measures_of_bots")
    await room.device("press", slots=2)
    await finish(room, Outcome.SUCCEEDED, wait=5, take=40)
    await finish(room, Outcome.FAILED, wait=5, take=4_000)
    before = await measured(room)

    class Frozen(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return room.clock.now()

    def migrate(connection: Connection) -> None:
        connection.execute(text("DROP TABLE bot_measures"))
        with Operations.context(MigrationContext.configure(connection)):
            migration.upgrade()

    monkeypatch.setattr(migration, "datetime", Frozen)
    async with room.database.engine.begin() as connection:
        await connection.run_sync(migrate)

    assert await measured(room) == before


async def measured(room: Room) -> list[tuple[bool, datetime, str, int, int, float]]:
    """Return all measures of bots, in order, without the bot."""
    columns = (BotMeasure.daily, BotMeasure.begun, BotMeasure.kind, BotMeasure.bucket, BotMeasure.count)
    async with room.database.read() as session:
        found = await session.execute(select(*columns, BotMeasure.seconds).order_by(*columns))
        return [(*row[:-1], pytest.approx(row[-1])) for row in found]


async def test_runs_that_end_at_once_are_all_counted(room: Room) -> None:
    for _ in range(5):
        run = await room.ask()
        await room.runs.cancel(CALLER, run.id, "")
    async with room.database.read() as session:
        query = select(RunMeasure.kind, func.sum(RunMeasure.count)).group_by(RunMeasure.kind)
        assert (await session.execute(query)).all() == [("cancelled", 5)]


@given(st.lists(st.floats(0.2, 100_000), min_size=1, max_size=60))
def test_a_median_from_buckets_is_within_a_tenth(values: list[float]) -> None:
    counts: dict[int, int] = {}
    for value in values:
        counts[bucket_of(value)] = counts.get(bucket_of(value), 0) + 1
    real = sorted(values)[(len(values) - 1) // 2]
    assert quantile(counts, 0.5) == pytest.approx(real, rel=0.1)
    assert bucket_of(middle_of(bucket_of(real))) == bucket_of(real)


def test_a_quantile_of_nothing_is_none() -> None:
    assert quantile({}, 0.5) is None


def _placed(place: Place) -> Caller:
    rights = frozenset({Permission.RUN_READ})
    return Caller(CALLER.actor, "", "eve", rights, placed=Placed({place: rights}))


def _with(*permissions: Permission) -> Caller:
    return Caller(CALLER.actor, "", "someone", frozenset(permissions))
