"""The dispatcher on a real database: order, slots, labels, pools, limits, long queues, and races."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select

from controlroom.bots.models import Bot
from controlroom.devices.models import DeviceMode, PoolShare
from controlroom.devices.schemas import PoolIn
from controlroom.protocol.messages import Ended, Outcome
from controlroom.runs.models import Attempt, Run
from controlroom.runs.states import ENDED, State
from runs.conftest import CALLER, Room


async def assigned(room: Room) -> list[str]:
    """Return the runs that are assigned, in the order of their assignment."""
    async with room.database.read() as session:
        query = select(Attempt.run_id).where(Attempt.state == State.ASSIGNED).order_by(Attempt.id)
        return list(await session.scalars(query))


async def test_higher_priority_goes_first_then_who_waits_longest(room: Room) -> None:
    runs = []
    for priority in (50, 50, 90, 10):
        runs.append(await room.ask(priority=priority))
        room.clock.advance(1)
    await room.device(slots=3)
    assert await room.dispatcher.assign_all() == 3
    assert set(await assigned(room)) == {runs[2].id, runs[0].id, runs[1].id}
    waiting = await room.runs.detail(CALLER, runs[3].id)
    assert (waiting.state, waiting.waiting_because) == (
        State.QUEUED,
        "All 3 slot(s) of the 1 device(s) that fit are taken.",
    )


async def test_an_assignment_is_written_whole(room: Room) -> None:
    device_id = await room.device("press")
    run = await room.ask()
    async with room.bus.subscribe("device:*") as woken:
        await room.dispatcher.assign_all()
        assert await woken.wait(1) == {f"device:{device_id}"}
    attempt, run = await room.attempt_of(run.id), await room.run(run.id)
    assert (attempt.number, attempt.state, attempt.device_name) == (1, State.ASSIGNED, "press")
    assert (attempt.lease_expires_at - room.clock.now()).total_seconds() == 45
    assert (run.state, run.attempt_id, run.device_id) == (State.ASSIGNED, attempt.id, device_id)
    assert await room.history(run.id) == ["queued", "assigned"]


async def test_labels_pools_and_devices_are_kept_to(room: Room) -> None:
    plain, special = (
        await room.device("plain", slots=9),
        await room.device("special", slots=9, labels=("excel",)),
    )
    pool = await room.devices.create_pool(CALLER, PoolIn(name="night", device_ids=[special]))
    wanted = {
        "label": await room.ask(labels=["excel"]),
        "pool": await room.ask(pool="night"),
        "device": await room.ask(device="plain"),
        "nobody": await room.ask(labels=["sap"]),
    }
    assert await room.dispatcher.assign_all() == 3
    devices = {name: (await room.run(run.id)).device_id for name, run in wanted.items()}
    assert devices == {"label": special, "pool": special, "device": plain, "nobody": None}
    detail = await room.runs.detail(CALLER, wanted["nobody"].id)
    assert detail.waiting_because == "It needs label 'sap': no connected device has it."
    assert pool.device_ids == [special]


@pytest.mark.parametrize("mode", [DeviceMode.DRAINING, DeviceMode.DISABLED, DeviceMode.REVOKED])
async def test_a_device_that_takes_no_work_gets_none(room: Room, mode: DeviceMode) -> None:
    device_id = await room.device()
    await room.ask()
    await room.devices.set_mode(CALLER, device_id, mode, 1)
    assert await room.dispatcher.assign_all() == 0


async def test_a_silent_device_gets_nothing(room: Room) -> None:
    await room.device()
    await room.ask()
    room.clock.advance(31)
    assert await room.dispatcher.assign_all() == 0


async def test_a_bots_limit_holds_and_frees_its_place(room: Room) -> None:
    await room.limit(1)
    await room.device(slots=5)
    attempt = await room.start()
    await room.ask()
    assert await room.dispatcher.assign_all() == 0
    await room.report(attempt, Ended(room.clock.now().timestamp(), Outcome.SUCCEEDED, 0))
    assert await room.dispatcher.assign_all() == 1


async def test_a_run_that_is_tried_again_waits_for_its_time(room: Room) -> None:
    await room.device()
    attempt = await room.start()
    await room.report(attempt, Ended(room.clock.now().timestamp(), Outcome.LOST, None))
    run = await room.run(attempt.run_id)
    assert run.state is State.QUEUED
    assert run.not_before > room.clock.now()
    assert await room.dispatcher.assign_all() == 0
    assert "It is tried again at" in (await room.runs.detail(CALLER, run.id)).waiting_because
    room.clock.moment = run.not_before
    assert await room.dispatcher.assign_all() == 1
    assert (await room.attempt_of(run.id)).number == 2


async def test_a_run_behind_many_that_wait_for_others_is_found(room: Room) -> None:
    model = await room.ask(labels=["sap"])
    async with room.database.write() as transaction:
        columns = {name: getattr(model, name) for name in Run.__mapper__.columns.keys()}  # noqa: SIM118  # not a dict
        copies = [{**columns, "id": f"run_copy{number}"} for number in range(450)]
        await transaction.session.execute(insert(Run), copies)
    room.clock.advance(1)
    last = await room.ask(priority=1)
    await room.device()
    assert await room.dispatcher.assign_all() == 1
    assert await assigned(room) == [last.id]


async def test_dispatchers_at_once_fill_no_slot_twice(room: Room) -> None:
    await room.device("one", slots=3)
    await room.device("two", slots=2)
    for _ in range(12):
        await room.ask()
    await asyncio.gather(*(room.dispatcher.assign_all() for _ in range(4)))
    async with room.database.read() as session:
        counts = await session.execute(
            select(Attempt.device_name, func.count()).group_by(Attempt.device_name)
        )
        assert {name: count for name, count in counts} == {"one": 3, "two": 2}  # noqa: C416  # rows
    assert len(set(await assigned(room))) == 5


async def test_a_run_that_is_cancelled_while_it_is_assigned_stays_cancelled(room: Room) -> None:
    await room.device()
    run = await room.ask()
    async with room.database.write() as transaction:
        row = await transaction.session.get_one(Run, run.id, with_for_update=True)
        row.state, row.ended_at = State.CANCELLED, room.clock.now()
        await transaction.session.flush()
        assigning = asyncio.ensure_future(room.dispatcher.assign_round())
        await asyncio.wait(
            {assigning}, timeout=0.3
        )  # as far as it comes while the cancel is not yet committed
    assert await assigning == 0
    assert (await room.run(run.id)).state in ENDED
    assert await assigned(room) == []


async def test_a_wake_makes_the_dispatcher_assign(room: Room) -> None:
    await room.device()
    task = asyncio.create_task(room.dispatcher.run_forever())
    try:
        async with room.bus.subscribe("device:*") as subscription, asyncio.timeout(10):
            run = await room.ask()
            while not await subscription.wait(1):
                pass
        assert (await room.run(run.id)).state is State.ASSIGNED
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_long_queue_of_one_bot_hides_no_other_where_bots_take_turns(room: Room) -> None:
    """One bot's runs fill more than a window of the queue; in a round-robin pool the other's next run starts all the same."""
    device = await room.device("press", slots=2)
    wanted = PoolIn(name="shared", device_ids=[device], share=PoolShare.ROUND_ROBIN)
    pool = await room.devices.create_pool(CALLER, wanted)
    first = await room.ask(pool="shared")
    async with room.database.write() as transaction:
        bot = await transaction.session.get_one(Bot, first.bot_id)
        other = {name: getattr(bot, name) for name in Bot.__table__.columns.keys()}  # noqa: SIM118  # not a dict
        await transaction.session.execute(insert(Bot), [{**other, "id": "bot_other", "name": "other"}])
        row = {name: getattr(first, name) for name in Run.__table__.columns.keys()}  # noqa: SIM118  # not a dict
        rows = [{**row, "id": f"run_{number:026d}"} for number in range(250)]
        later = {
            **row,
            "id": "run_z",
            "bot_id": "bot_other",
            "queued_at": room.clock.now() + timedelta(seconds=1),
        }
        await transaction.session.execute(insert(Run), [*rows, later])
    room.clock.advance(2)
    assert await room.dispatcher.assign_all() == 2
    started = {(await room.run(run_id)).bot_id for run_id in await assigned(room)}
    assert started == {first.bot_id, "bot_other"}
    assert pool.share is PoolShare.ROUND_ROBIN
