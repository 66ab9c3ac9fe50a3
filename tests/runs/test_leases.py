"""Leases: what keeps an attempt alive, and when the server overrules a runner."""

import pytest

from controlroom.protocol.messages import Ended, Outcome, Paused
from controlroom.runs.schemas import RetryIn
from controlroom.runs.states import State
from runs.conftest import CALLER, Room

PATIENCE = 10 + 45 * 3
"""The grace time and the unanswered leases after which a runner that lives is overruled, in seconds at most."""


async def keep_alive(room: Room, attempt_id: str, seconds: float) -> None:
    """Let time go by while the runner says that the attempt lives."""
    for _ in range(int(seconds // 30) + 1):
        room.clock.advance(30)
        assert await room.leases.renew([attempt_id]) == {attempt_id}


async def test_a_renewed_lease_lives_and_a_silent_one_is_lost(room: Room) -> None:
    await room.device(slots=2)
    kept, silent = await room.start(), await room.start(retry=RetryIn(on="never"))
    room.clock.advance(44)
    assert await room.leases.end_overdue() == 0
    assert await room.leases.renew([kept.id, "att_none"]) == {kept.id}
    room.clock.advance(1)
    assert await room.leases.end_overdue() == 1
    assert (await room.run(kept.run_id)).state is State.RUNNING
    lost = await room.run(silent.run_id)
    assert (lost.state, lost.message) == (State.LOST, "Nothing was heard of one for 45 s.")


async def test_an_ended_attempt_has_no_lease_to_renew(room: Room) -> None:
    await room.device()
    attempt = await room.start()
    await room.report(attempt, Ended(1.0, Outcome.SUCCEEDED, 0))
    assert await room.leases.renew([attempt.id]) == frozenset()


async def test_an_assigned_attempt_whose_runner_never_answers_is_lost_too(room: Room) -> None:
    await room.device()
    run = await room.ask()
    await room.dispatcher.assign_all()
    room.clock.advance(45)
    assert await room.leases.end_overdue() == 1
    assert (await room.attempt_of(run.id)).state is State.LOST
    assert (await room.run(run.id)).state is State.QUEUED


@pytest.mark.parametrize("what", ["cancel", "time_limit"])
async def test_a_runner_that_lives_and_does_not_stop_the_bot_is_overruled(room: Room, what: str) -> None:
    await room.device()
    attempt = await room.start(timeout_seconds=1 if what == "time_limit" else 100_000)
    if what == "cancel":
        await room.runs.cancel(CALLER, attempt.run_id)
    await keep_alive(room, attempt.id, 11)
    assert await room.leases.end_overdue() == 0
    await keep_alive(room, attempt.id, PATIENCE)
    assert await room.leases.end_overdue() == 1
    run = await room.run(attempt.run_id)
    assert run.state is (State.CANCELLED if what == "cancel" else State.TIMED_OUT)
    assert "one did not" in run.message


async def test_a_paused_bot_is_not_timed(room: Room) -> None:
    await room.device()
    attempt = await room.start(timeout_seconds=1)
    await room.runs.pause(CALLER, attempt.run_id)
    await room.report(attempt, Paused(1.0))
    await keep_alive(room, attempt.id, 10 * PATIENCE)
    assert await room.leases.end_overdue() == 0
    assert await room.orders.for_device(attempt.device_id, known={attempt.id}) == []


async def test_retries_end_when_they_are_used_up(room: Room) -> None:
    await room.device()
    attempt = await room.start(retry=RetryIn(on="loss", count=1, backoff_seconds=0))
    for _ in range(2):
        room.clock.advance(46)
        assert await room.leases.end_overdue() == 1
        await room.device(f"again-{room.clock.now():%H%M%S}")
        await room.dispatcher.assign_all()
    run = await room.run(attempt.run_id)
    assert (run.state, run.attempt_count) == (State.LOST, 2)
