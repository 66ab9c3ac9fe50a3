"""An exclusive bot runs only while a lease that its runner asked for lasts."""

import asyncio
from pathlib import Path

from controlroom.protocol.messages import (
    LeaseRenewed,
    Outcome,
    StaleAttempt,
)
from runner.agent.scene import PACKAGE, running
from runner.link.control_room import ControlRoom, make_plan


async def test_an_exclusive_bot_is_stopped_when_its_lease_runs_out_and_others_go_on(
    room: ControlRoom, tmp_path: Path
) -> None:
    room.lease_seconds = 2
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE, exclusive=True))
        await room.assign(make_plan("att_2", PACKAGE))
        alone, other = await scene.started("att_1"), await scene.started("att_2")
        beats = len(room.heartbeats)
        await room.until(lambda: len(room.heartbeats) > beats + 30)
        assert not alone.ends.done()

        room.renews = False
        outcome, message = await asyncio.wait_for(asyncio.shield(alone.ends), 10)
        assert outcome is Outcome.LOST
        assert "lease" in message
        assert not other.ends.done()


async def test_an_exclusive_bot_begins_only_once_a_heartbeat_that_names_it_was_answered(
    room: ControlRoom, tmp_path: Path
) -> None:
    """The order may be older than the lease that came with it: only a round trip tells."""
    room.renews = False
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE, exclusive=True))
        await room.assign(make_plan("att_2", PACKAGE))
        await scene.started("att_2")
        await room.until(lambda: sum(len(beat.held) == 2 for beat in room.heartbeats) > 5)
        assert "att_1" not in scene.executor.bots

        room.say(LeaseRenewed(("att_1",), 10_000))  # answers nothing that was asked
        room.renews = True
        await scene.started("att_1")


async def test_an_exclusive_bot_whose_order_came_too_late_is_never_begun(
    room: ControlRoom, tmp_path: Path
) -> None:
    room.renews = False
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE, exclusive=True))
        await room.until(lambda: any(beat.held for beat in room.heartbeats))
        room.say(StaleAttempt("att_1", "Its lease ran out."))
        assert (await scene.closed("att_1")).outcome is Outcome.LOST
        assert "att_1" not in scene.executor.bots


async def test_the_heartbeat_that_an_exclusive_bot_waits_for_goes_out_at_once(
    room: ControlRoom, tmp_path: Path
) -> None:
    room.heartbeat_seconds = 3600
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.heartbeats)
        await room.assign(make_plan("att_1", PACKAGE, exclusive=True))
        await scene.started("att_1")


async def test_an_exclusive_bot_may_begin_on_a_runner_that_was_idle_for_longer_than_a_lease(
    room: ControlRoom, tmp_path: Path
) -> None:
    room.heartbeat_seconds, room.lease_seconds = 1.2, 3
    async with running(room, tmp_path) as scene:
        await room.until(lambda: len(room.heartbeats) > 3)
        await room.assign(make_plan("att_1", PACKAGE, exclusive=True))
        alone = await scene.started("att_1")
        beats = len(room.heartbeats)
        await room.until(lambda: len(room.heartbeats) > beats)
        assert not alone.ends.done()
        alone.end()
        assert (await scene.closed("att_1")).outcome is Outcome.SUCCEEDED
