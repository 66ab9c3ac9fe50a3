"""The agent does what the Control Room says with each attempt, once, and leaves none without an end."""

import asyncio
from pathlib import Path

from controlroom.protocol.messages import (
    Ack,
    CancelAttempt,
    Drain,
    Ended,
    Outcome,
    PauseAttempt,
    Paused,
    Preparing,
    ResumeAttempt,
    Resumed,
    StaleAttempt,
    StartAttempt,
)
from controlroom.runner.agent.status import read_status
from runner.agent.scene import PACKAGE, running
from runner.link.control_room import KEY, ControlRoom, make_plan


async def test_an_attempt_runs_reports_and_leaves_nothing_behind(room: ControlRoom, tmp_path: Path) -> None:
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        bot = await scene.started("att_1")
        assert (bot.workspace / "file.txt").read_text() == "package"
        bot.end()

        assert (await scene.closed("att_1")).outcome is Outcome.SUCCEEDED
        await scene.folder_gone("att_1")
        assert room.hellos[0].slots == 2


async def test_an_attempt_is_never_begun_twice(room: ControlRoom, tmp_path: Path) -> None:
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        plan = make_plan("att_1", PACKAGE)
        await room.assign(plan)
        bot = await scene.started("att_1")
        room.say(StartAttempt(plan))
        bot.end()
        await scene.closed("att_1")
        await scene.folder_gone("att_1")
        room.say(StartAttempt(plan))
        beats = len(room.heartbeats)
        await room.until(lambda: len(room.heartbeats) > beats + 2)

        assert len(scene.executor.bots) == 1
        assert not (tmp_path / "attempts" / "att_1").exists()


async def test_more_attempts_than_slots_wait_and_say_so(room: ControlRoom, tmp_path: Path) -> None:
    async with running(room, tmp_path, slots=1) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        first = await scene.started("att_1")
        await room.assign(make_plan("att_2", PACKAGE))
        await room.until(lambda: room.attempt("att_2").bodies)
        assert room.attempt("att_2").bodies == [Preparing("Waiting for a free slot.")]
        first.end()
        (await scene.started("att_2")).end()
        await scene.closed("att_2")


async def test_a_waiting_attempt_is_cancelled_before_it_begins(room: ControlRoom, tmp_path: Path) -> None:
    async with running(room, tmp_path, slots=1) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        first = await scene.started("att_1")
        await room.assign(make_plan("att_2", PACKAGE))
        await room.until(lambda: room.attempt("att_2").bodies)
        room.say(CancelAttempt("att_2", 5, reason="Not wanted."))

        ended = await scene.closed("att_2")
        assert (ended.outcome, ended.message) == (Outcome.CANCELLED, "Not wanted.")
        assert list(scene.executor.bots) == ["att_1"]
        await room.assign(make_plan("att_3", PACKAGE))
        first.end()
        (await scene.started("att_3")).end()
        await scene.closed("att_3")


async def test_cancel_pause_and_resume_reach_the_bot(room: ControlRoom, tmp_path: Path) -> None:
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        bot = await scene.started("att_1")
        room.say(PauseAttempt("att_1"))
        await room.until(lambda: Paused(1) in room.attempt("att_1").bodies)
        room.say(ResumeAttempt("att_1"))
        await room.until(lambda: Resumed(1) in room.attempt("att_1").bodies)
        room.say(CancelAttempt("att_1", 7, Outcome.TIMED_OUT, "Too slow."))

        assert (await scene.closed("att_1")).outcome is Outcome.TIMED_OUT
        assert bot.cancels == [(7, Outcome.TIMED_OUT, "Too slow.")]


async def test_a_stale_attempt_is_killed_and_what_it_says_is_sent_on(
    room: ControlRoom, tmp_path: Path
) -> None:
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        await scene.started("att_1")
        room.attempt("att_1").stale = True
        room.say(StaleAttempt("att_1", "Given to another."))
        await room.until(lambda: room.attempt("att_1").closed)

        (late,) = room.attempt("att_1").late
        assert isinstance(late, Ended)
        assert (late.outcome, late.message) == (Outcome.LOST, "Given to another.")


async def test_an_attempt_that_is_closed_under_a_running_bot_is_ended_and_removed(
    room: ControlRoom, tmp_path: Path
) -> None:
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        bot = await scene.started("att_1")
        room.say(Ack("att_1", 1, closed=True))
        await asyncio.wait_for(asyncio.shield(bot.ends), 10)
        await scene.folder_gone("att_1")


async def test_a_fault_of_the_runner_ends_the_attempt_as_lost(room: ControlRoom, tmp_path: Path) -> None:
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        scene.executor.fault = RuntimeError("a bug")
        await room.assign(make_plan("att_1", PACKAGE))
        ended = await scene.closed("att_1")
        assert ended.outcome is Outcome.LOST
        assert scene.executor.leftovers == [tmp_path / "attempts" / "att_1" / "workspace"]


async def test_a_clean_stop_ends_bots_as_lost_delivers_and_takes_leave(
    room: ControlRoom, tmp_path: Path
) -> None:
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE, grace_seconds=0.5))
        bot = await scene.started("att_1")
        scene.agent.stop()
        await asyncio.wait_for(asyncio.shield(scene.task), 20)

        ended = room.attempt("att_1").ended
        assert ended is not None
        assert (ended.outcome, ended.message) == (Outcome.LOST, "The Bot Runner was stopped.")
        assert bot.cancels == [(0.5, Outcome.LOST, "The Bot Runner was stopped.")]
        assert room.goodbyes


async def test_a_second_signal_does_not_wait_for_a_bot(room: ControlRoom, tmp_path: Path) -> None:
    async with running(room, tmp_path, stop_seconds=600) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE, grace_seconds=600))
        bot = await scene.started("att_1")
        bot.polite = False
        scene.agent.stop()
        async with asyncio.timeout(10):
            while not bot.cancels:
                await asyncio.sleep(0.01)
        scene.agent.stop_at_once()
        await asyncio.wait_for(asyncio.shield(scene.task), 20)
        assert bot.ends.result()[0] is Outcome.LOST


async def test_the_status_file_says_what_goes_on(room: ControlRoom, tmp_path: Path) -> None:
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        await scene.started("att_1")
        room.say(Drain(True))
        async with asyncio.timeout(10):
            while not ((status := read_status(tmp_path)) and status.running and status.draining):
                await asyncio.sleep(0.05)
        assert (status.link, status.transport, status.running) == ("connected", "websocket", ("att_1",))
        assert KEY not in (tmp_path / "status.json").read_text()
