"""The agent does what the Control Room says with each attempt, once, and leaves none without an end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from controlroom.protocol.messages import (
    Ack,
    ArtifactStored,
    CancelAttempt,
    Drain,
    Ended,
    LeaseRenewed,
    Log,
    Outcome,
    PauseAttempt,
    Paused,
    Preparing,
    ResumeAttempt,
    Resumed,
    StaleAttempt,
    StartAttempt,
    Started,
)
from controlroom.protocol.plan import AttemptPlan
from controlroom.protocol.records import Level, LogRecord, Stream
from controlroom.runner.agent.agent import Agent
from controlroom.runner.agent.execution import ArtifactUploader, ReportSink
from controlroom.runner.agent.folder import create_folder
from controlroom.runner.agent.status import read_status
from controlroom.runner.identity import Identity
from controlroom.runner.link.pace import Pace
from controlroom.runner.settings import RunnerSettings
from controlroom.runner.spool import Spool
from runner.link.control_room import KEY, ControlRoom, make_plan, serve

QUICK = Pace(first_retry=0.01, longest_retry=0.05, refused_retry=0.05)
PACKAGE = b"package"


@dataclass
class ScriptedBot:
    """Stands for a bot: starts, and ends when a test says so or when it is told to."""

    plan: AttemptPlan
    package: Path
    workspace: Path
    sink: ReportSink
    uploader: ArtifactUploader
    ends: asyncio.Future[tuple[Outcome, str]] = field(default_factory=asyncio.Future)
    cancels: list[tuple[float, Outcome, str]] = field(default_factory=list)
    polite: bool = True

    async def run(self) -> None:
        (self.workspace / "file.txt").write_text(self.package.read_text())
        await self.sink.report(Started(1, False, "env", 1))
        outcome, message = await self.ends
        await self.sink.report(Ended(2, outcome, 0, message))

    async def cancel(self, grace_seconds: float, outcome: Outcome, reason: str) -> None:
        self.cancels.append((grace_seconds, outcome, reason))
        if self.polite:
            self.end(outcome, reason)

    async def pause(self) -> None:
        await self.sink.report(Paused(1))

    async def resume(self) -> None:
        await self.sink.report(Resumed(1))

    async def kill(self, reason: str) -> None:
        self.end(Outcome.LOST, reason)

    def end(self, outcome: Outcome = Outcome.SUCCEEDED, message: str = "") -> None:
        if not self.ends.done():
            self.ends.set_result((outcome, message))


class ScriptedExecutor:
    """Hands out scripted bots and remembers them."""

    def __init__(self) -> None:
        self.bots: dict[str, ScriptedBot] = {}
        self.leftovers: list[Path] = []
        self.fault: Exception | None = None

    def begin(
        self,
        plan: AttemptPlan,
        *,
        package: Path,
        workspace: Path,
        sink: ReportSink,
        uploader: ArtifactUploader,
    ) -> ScriptedBot:
        if self.fault is not None:
            raise self.fault
        assert plan.attempt_id not in self.bots, "executed a second time"
        self.bots[plan.attempt_id] = ScriptedBot(plan, package, workspace, sink, uploader)
        return self.bots[plan.attempt_id]

    async def end_leftovers(self, workspace: Path) -> None:
        self.leftovers.append(workspace)

    async def discard(self, workspace: Path) -> None:
        for path in sorted(workspace.rglob("*"), reverse=True):
            path.unlink()
        if workspace.exists():
            workspace.rmdir()


@dataclass
class Scene:
    room: ControlRoom
    agent: Agent
    executor: ScriptedExecutor
    state: Path
    task: asyncio.Task[None]

    async def started(self, attempt_id: str) -> ScriptedBot:
        await self.room.until(
            lambda: any(isinstance(body, Started) for body in self.room.attempt(attempt_id).bodies)
        )
        return self.executor.bots[attempt_id]

    async def closed(self, attempt_id: str) -> Ended:
        await self.room.until(lambda: self.room.attempt(attempt_id).closed)
        ended = self.room.attempt(attempt_id).ended
        assert ended is not None
        return ended

    async def folder_gone(self, attempt_id: str) -> None:
        async with asyncio.timeout(10):
            while (self.state / "attempts" / attempt_id).exists():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running(room: ControlRoom, state: Path, **changes: object) -> AsyncIterator[Scene]:
    settings = msgspec.structs.replace(RunnerSettings(state=state, slots=2, stop_seconds=1), **changes)
    executor = ScriptedExecutor()
    agent = Agent(Identity(room.url, "dev_1", "test", KEY), settings, executor, pace=QUICK)
    scene = Scene(room, agent, executor, state, asyncio.create_task(agent.run()))
    try:
        yield scene
    finally:
        agent.stop_at_once()
        await asyncio.wait_for(scene.task, 20)


@pytest.fixture
async def room() -> AsyncIterator[ControlRoom]:
    served = ControlRoom()
    plan = make_plan("any", PACKAGE)
    served.packages[plan.package_sha256] = PACKAGE
    async with serve(served):
        yield served


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


async def test_a_package_is_fetched_once_for_many_attempts(room: ControlRoom, tmp_path: Path) -> None:
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        for name in ("att_1", "att_2"):
            await room.assign(make_plan(name, PACKAGE))
        for name in ("att_1", "att_2"):
            (await scene.started(name)).end()
            await scene.closed(name)
        assert room.package_requests == 1


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


@pytest.mark.parametrize("status", [403, 404])
async def test_a_package_that_is_refused_rejects_the_attempt(
    room: ControlRoom, tmp_path: Path, status: int
) -> None:
    room.package_status = status
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        ended = await scene.closed("att_1")
        assert ended.outcome is Outcome.REJECTED
        assert f"{status}. Not now." in ended.message


async def test_a_package_that_is_not_what_its_hash_says_rejects_the_attempt(
    room: ControlRoom, tmp_path: Path
) -> None:
    plan = make_plan("att_1", b"genuine")
    room.packages[plan.package_sha256] = b"altered"
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(plan)
        ended = await scene.closed("att_1")
        assert ended.outcome is Outcome.REJECTED
        assert plan.package_sha256 in ended.message
        assert not list((tmp_path / "packages").iterdir())


async def test_a_package_is_asked_for_again_while_the_control_room_is_busy(
    room: ControlRoom, tmp_path: Path
) -> None:
    room.package_status = 503
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        await room.until(lambda: room.package_requests)
        room.package_status = 200
        (await scene.started("att_1")).end()
        await scene.closed("att_1")


async def test_the_least_recently_used_package_goes_when_the_cache_is_full(
    room: ControlRoom, tmp_path: Path
) -> None:
    async with running(room, tmp_path, package_cache_mb=1) as scene:
        await room.until(lambda: room.hellos)
        for n in range(4):
            content = bytes([65 + n]) * 400_000
            plan = make_plan(f"att_{n}", content)
            room.packages[plan.package_sha256] = content
            await room.assign(plan)
            (await scene.started(f"att_{n}")).end()
            await scene.closed(f"att_{n}")
        kept = {path.stem for path in (tmp_path / "packages").glob("*.zip")}
        assert kept == {make_plan("x", bytes([65 + n]) * 400_000).package_sha256 for n in (2, 3)}


async def test_an_artifact_is_stored_before_its_report_and_in_order(
    room: ControlRoom, tmp_path: Path
) -> None:
    room.artifact_status = 503
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        bot = await scene.started("att_1")
        source = tmp_path / "result.txt"
        source.write_text("first")
        stored = await bot.uploader.upload(source, "result.txt", "text/plain")
        source.write_text("changed later")
        await bot.sink.report(stored)
        bot.end()
        await asyncio.wait_for(asyncio.shield(scene.agent._attempts.get("att_1").task), 10)  # type: ignore[union-attr, arg-type]
        assert room.attempt("att_1").ended is None
        room.artifact_status = 204

        await scene.closed("att_1")
        assert room.attempt("att_1").bodies[1] == stored
        assert room.artifacts[stored.sha256] == b"first"
        assert stored.size_bytes == 5


async def test_an_artifact_that_is_refused_is_said_in_the_log(room: ControlRoom, tmp_path: Path) -> None:
    room.artifact_status = 413
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        bot = await scene.started("att_1")
        source = tmp_path / "result.txt"
        source.write_text("big")
        await bot.sink.report(await bot.uploader.upload(source, "result.txt", "text/plain"))
        bot.end()

        await scene.closed("att_1")
        (record,) = room.attempt("att_1").log
        assert (record.stream, record.level) == (Stream.SYSTEM, Level.ERROR)
        assert "'result.txt'" in record.text
        assert not any(isinstance(body, ArtifactStored) for body in room.attempt("att_1").bodies)


async def test_bots_go_on_while_the_control_room_is_away(room: ControlRoom, tmp_path: Path) -> None:
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        bot = await scene.started("att_1")
        room.websocket_status = 503
        await room.cut()
        for n in range(20):
            await bot.sink.report(Log((LogRecord(n, Stream.STDOUT, Level.INFO, str(n)),)))
        bot.end()
        room.websocket_status = 0

        await scene.closed("att_1")
        assert [record.text for record in room.attempt("att_1").log] == [str(n) for n in range(20)]
        assert room.attempt("att_1").plan in [make_plan("att_1", PACKAGE)]


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


async def test_an_attempt_found_after_a_crash_is_ended_and_its_reports_delivered(
    room: ControlRoom, tmp_path: Path
) -> None:
    plan = make_plan("att_1", PACKAGE)
    folder = create_folder(tmp_path / "attempts", plan)
    assert folder is not None
    spool = await Spool.open(folder.spool, "att_1", plan.token, limit_bytes=1 << 20)
    await spool.append(Started(1, False, "env", 1))
    (tmp_path / "attempts" / "att_9.new").mkdir()
    broken = tmp_path / "attempts" / "att_2"
    broken.mkdir()
    (broken / "plan.msgpack").write_bytes(b"\xff\x00")
    room.attempt("att_1").plan = plan

    async with running(room, tmp_path) as scene:
        ended = await scene.closed("att_1")
        await scene.folder_gone("att_1")

        assert (ended.outcome, ended.message) == (
            Outcome.LOST,
            "The Bot Runner was stopped while the bot ran.",
        )
        assert room.hellos[0].held[0].attempt_id == "att_1"
        assert set(scene.executor.leftovers) == {folder.workspace, broken / "workspace"}
        assert not scene.executor.bots
        assert not list((tmp_path / "attempts").iterdir())


async def test_a_crash_after_the_end_delivers_it_and_the_artifact(room: ControlRoom, tmp_path: Path) -> None:
    room.artifact_status = 503
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        bot = await scene.started("att_1")
        source = tmp_path / "result.txt"
        source.write_text("kept")
        stored = await bot.uploader.upload(source, "result.txt", "text/plain")
        await bot.sink.report(stored)
        bot.end()
        await asyncio.wait_for(asyncio.shield(scene.agent._attempts.get("att_1").task), 10)  # type: ignore[union-attr, arg-type]
    room.artifact_status = 204

    async with running(room, tmp_path) as scene:
        assert (await scene.closed("att_1")).outcome is Outcome.SUCCEEDED
        assert room.artifacts[stored.sha256] == b"kept"
        assert not scene.executor.bots


async def test_workspaces_of_failures_are_kept_within_their_number(room: ControlRoom, tmp_path: Path) -> None:
    async with running(room, tmp_path, keep_failed=2) as scene:
        await room.until(lambda: room.hellos)
        for n in range(4):
            await room.assign(make_plan(f"att_{n}", PACKAGE))
            (await scene.started(f"att_{n}")).end(Outcome.FAILED, "Wrong.")
            await scene.closed(f"att_{n}")
            await scene.folder_gone(f"att_{n}")
        kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
        assert kept == ["att_2", "att_3"]


async def test_ids_that_lead_out_of_the_folder_are_refused(room: ControlRoom, tmp_path: Path) -> None:
    async with running(room, tmp_path / "state") as scene:
        await room.until(lambda: room.hellos)
        room.say(StartAttempt(make_plan("../../evil", PACKAGE)))
        await room.assign(make_plan("att_1", PACKAGE))
        (await scene.started("att_1")).end()
        await scene.closed("att_1")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["state"]


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
