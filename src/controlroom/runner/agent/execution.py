"""What the agent asks of whoever runs bots, and how `runner.execution` gives it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from controlroom.protocol.messages import ArtifactStored, Outcome, ReportBody
from controlroom.protocol.plan import AttemptPlan
from controlroom.runner.settings import RunnerSettings

if TYPE_CHECKING:
    from controlroom.runner.execution import ExecutionServices


class ReportSink(Protocol):
    """Takes what an attempt has to say."""

    async def report(self, body: ReportBody) -> None:
        """Keep a report; it outlives this process when this returns, and waiting for it slows the bot down."""
        ...


class ArtifactUploader(Protocol):
    """Takes files that an attempt leaves."""

    async def upload(self, path: Path, name: str, media_type: str) -> ArtifactStored:
        """Keep a file; the report that names it goes out only after its content."""
        ...


class Execution(Protocol):
    """One attempt being carried out."""

    async def run(self) -> None:
        """Carry it out; reports exactly one `Ended`."""
        ...

    async def cancel(self, grace_seconds: float, outcome: Outcome, reason: str) -> None:
        """Ask the bot to end, and end its whole process tree after the grace time."""
        ...

    async def pause(self) -> None:
        """Halt the bot's processes."""
        ...

    async def resume(self) -> None:
        """Let the bot's processes go on."""
        ...

    async def kill(self, reason: str) -> None:
        """End the whole process tree at once."""
        ...


class Executor(Protocol):
    """Carries attempts out on this machine."""

    def begin(
        self,
        plan: AttemptPlan,
        *,
        package: Path,
        workspace: Path,
        sink: ReportSink,
        uploader: ArtifactUploader,
    ) -> Execution:
        """Make an attempt ready to `run`."""
        ...

    async def end_leftovers(self, workspace: Path) -> None:
        """Kill whatever processes an earlier runner left for an attempt."""
        ...

    async def discard(self, workspace: Path) -> None:
        """Remove an attempt's working folder."""
        ...


class LocalExecutor:
    """Runs bots as processes of this machine."""

    def __init__(self, services: "ExecutionServices") -> None:
        self._services = services

    def begin(
        self,
        plan: AttemptPlan,
        *,
        package: Path,
        workspace: Path,
        sink: ReportSink,
        uploader: ArtifactUploader,
    ) -> Execution:
        """Make an attempt ready to `run`."""
        from controlroom.runner.execution import AttemptExecution

        return AttemptExecution(
            plan, package=package, workspace=workspace, sink=sink, uploader=uploader, services=self._services
        )

    async def end_leftovers(self, workspace: Path) -> None:
        """Kill whatever processes an earlier runner left for an attempt."""
        from controlroom.runner.execution import end_leftovers

        await end_leftovers(workspace)

    async def discard(self, workspace: Path) -> None:
        """Remove an attempt's working folder."""
        from controlroom.runner.execution import discard_workspace

        await discard_workspace(workspace)


@asynccontextmanager
async def local_executor(settings: RunnerSettings, control_room_url: str) -> AsyncIterator[Executor]:
    """Open what bots need to run: their environments and warm interpreters; all of it ends with the block.

    ``control_room_url`` is told to the bots; it holds no secret.
    """
    from controlroom.runner.execution import ExecutionServices

    async with ExecutionServices.open(
        settings.state,
        environment_limit_mb=settings.environment_limit_mb,
        warm=settings.warm,
        control_room_url=control_room_url,
    ) as services:
        yield LocalExecutor(services)
