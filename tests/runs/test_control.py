"""Cancel, pause and resume: what they do to a run that waits, one that is active and one that has ended."""

from collections.abc import Awaitable, Callable

import pytest

from controlroom.foundation.errors import Conflict
from controlroom.protocol.messages import (
    CancelAttempt,
    Ended,
    FromServer,
    Outcome,
    PauseAttempt,
    Paused,
    ResumeAttempt,
    Resumed,
    StartAttempt,
)
from controlroom.runs.errors import RunHasEnded, RunNotFound
from controlroom.runs.models import Attempt
from controlroom.runs.states import State
from runs.conftest import CALLER, Room


async def orders_of(room: Room, attempt: Attempt) -> list[FromServer]:
    return await room.orders.for_device(attempt.device_id, known={attempt.id})


def ended(room: Room, outcome: Outcome, code: int | None = None) -> Ended:
    return Ended(room.clock.now().timestamp(), outcome, code)


async def test_a_waiting_run_is_cancelled_at_once(room: Room) -> None:
    run = await room.ask()
    cancelled = await room.runs.cancel(CALLER, run.id, "not needed")
    assert (cancelled.state, cancelled.ended_at) == (State.CANCELLED, room.clock.now())
    assert "not needed" in cancelled.message
    await room.device()
    assert await room.dispatcher.assign_all() == 0


async def test_an_active_run_is_cancelled_through_its_runner(room: Room) -> None:
    await room.device()
    attempt = await room.start()
    run = await room.runs.cancel(CALLER, attempt.run_id, "stop")
    assert run.state is State.RUNNING
    (order,) = await orders_of(room, attempt)
    assert isinstance(order, CancelAttempt)
    assert (order.grace_seconds, order.outcome) == (10, Outcome.CANCELLED)
    await room.runs.cancel(CALLER, attempt.run_id, "again")
    assert [line for line in await room.history(run.id) if "Cancelled by" in line] == [
        "Cancelled by Control Room. stop"
    ]
    await room.report(attempt, ended(room, Outcome.CANCELLED))
    assert (await room.run(run.id)).state is State.CANCELLED


async def test_a_cancelled_run_that_is_lost_is_not_tried_again(room: Room) -> None:
    await room.device()
    attempt = await room.start()
    await room.runs.cancel(CALLER, attempt.run_id)
    room.clock.advance(46)
    assert await room.leases.end_overdue() == 1
    assert (await room.run(attempt.run_id)).state is State.LOST


async def test_a_bot_that_ends_before_the_cancel_reaches_it_keeps_its_own_end(room: Room) -> None:
    await room.device()
    attempt = await room.start()
    await room.runs.cancel(CALLER, attempt.run_id)
    await room.report(attempt, ended(room, Outcome.SUCCEEDED, 0))
    assert (await room.run(attempt.run_id)).state is State.SUCCEEDED


async def test_pause_and_resume_go_through_the_runner(room: Room) -> None:
    await room.device()
    attempt = await room.start()
    await room.runs.pause(CALLER, attempt.run_id)
    assert await orders_of(room, attempt) == [PauseAttempt(attempt.id)]
    await room.report(attempt, Paused(room.clock.now().timestamp()))
    assert (await room.run(attempt.run_id)).state is State.PAUSED
    assert await orders_of(room, attempt) == []
    await room.runs.resume(CALLER, attempt.run_id)
    assert await orders_of(room, attempt) == [ResumeAttempt(attempt.id)]
    await room.report(attempt, Resumed(room.clock.now().timestamp()))
    assert (await room.run(attempt.run_id)).state is State.RUNNING


async def test_a_pause_is_taken_back_before_the_runner_has_followed_it(room: Room) -> None:
    await room.device()
    attempt = await room.start()
    await room.runs.pause(CALLER, attempt.run_id)
    await room.runs.resume(CALLER, attempt.run_id)
    assert await orders_of(room, attempt) == []


async def test_what_does_not_run_cannot_be_paused_nor_resumed(room: Room) -> None:
    run = await room.ask()
    for act in (room.runs.pause, room.runs.resume):
        with pytest.raises(Conflict, match="queued"):
            await act(CALLER, run.id)
    await room.device()
    await room.dispatcher.assign_all()
    with pytest.raises(Conflict, match="assigned"):
        await room.runs.pause(CALLER, run.id)


async def test_what_has_ended_cannot_be_controlled(room: Room) -> None:
    run = await room.ask()
    await room.runs.cancel(CALLER, run.id)
    acts: list[Callable[..., Awaitable[object]]] = [room.runs.cancel, room.runs.pause, room.runs.resume]
    for act in acts:
        with pytest.raises(RunHasEnded, match="cancelled"):
            await act(CALLER, run.id)
        with pytest.raises(RunNotFound):
            await act(CALLER, "run_none")


async def test_many_are_cancelled_each_for_itself(room: Room) -> None:
    first, second = await room.ask(), await room.ask()
    await room.runs.cancel(CALLER, first.id)
    results = await room.runs.each(CALLER, [first.id, second.id, "run_none"], room.runs.cancel)
    assert [(result.id, result.done) for result in results] == [
        (first.id, False),
        (second.id, True),
        ("run_none", False),
    ]
    assert all(result.message for result in results if not result.done)


async def test_a_start_is_ordered_until_the_runner_knows_of_it(room: Room) -> None:
    device_id = await room.device()
    run = await room.ask(inputs={"amount": 5})
    await room.dispatcher.assign_all()
    first = await room.orders.for_device(device_id, known=set())
    assert first == await room.orders.for_device(device_id, known=set())
    (order,) = first
    assert isinstance(order, StartAttempt)
    plan = order.plan
    assert (plan.run_id, plan.inputs["amount"], plan.limits.timeout_seconds) == (run.id, 5, 30)
    assert room.tokens.is_valid(plan.attempt_id, plan.token)
    assert await room.orders.for_device(device_id, known={plan.attempt_id}) == []
    assert await room.orders.for_device("dev_other", known=set()) == []


async def test_a_time_limit_is_enforced_by_the_server_where_the_runner_does_not(room: Room) -> None:
    await room.device()
    attempt = await room.start(timeout_seconds=20)
    room.clock.advance(29)
    assert await orders_of(room, attempt) == []
    room.clock.advance(1)
    (order,) = await orders_of(room, attempt)
    assert isinstance(order, CancelAttempt)
    assert order.outcome is Outcome.TIMED_OUT
