"""Where the agent is tested: a Control Room that speaks the protocol, and bots that end when a test says so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from controlroom.protocol.messages import (
    Ended,
    Outcome,
    Paused,
    Resumed,
    Started,
)
from controlroom.protocol.plan import AttemptPlan
from controlroom.runner.agent.agent import Agent
from controlroom.runner.agent.execution import ArtifactUploader, ReportSink
from controlroom.runner.identity import Identity
from controlroom.runner.link.pace import Pace
from controlroom.runner.settings import RunnerSettings
from runner.link.control_room import KEY, ControlRoom

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
            path.rmdir() if path.is_dir() else path.unlink()
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
