"""What the tests of attempts share: a real attempt with a sink that remembers and an uploader that keeps."""

import asyncio
import hashlib
import itertools
import textwrap
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from controlroom.protocol.messages import ArtifactStored, Ended, Log, Output, ReportBody, Started
from controlroom.protocol.plan import (
    AttemptPlan,
    EnvironmentKind,
    EnvironmentSpec,
    Launch,
    LaunchKind,
    Limits,
)
from controlroom.protocol.records import LogRecord, Stream
from controlroom.runner.execution import AttemptExecution, ExecutionServices

PLAIN = EnvironmentSpec(EnvironmentKind.REQUIREMENTS)
SCRIPT = Launch(LaunchKind.SCRIPT, "main.py")
WAIT_SECONDS = 30.0
B = TypeVar("B")


class RecordingSink:
    """Remembers every report."""

    def __init__(self) -> None:
        self.bodies: list[ReportBody] = []
        self._changed = asyncio.Condition()

    async def report(self, body: ReportBody) -> None:
        async with self._changed:
            self.bodies.append(body)
            self._changed.notify_all()

    async def until(self, condition: Callable[["RecordingSink"], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS), self._changed:
            await self._changed.wait_for(lambda: condition(self))

    async def until_line(self, text: str) -> None:
        await self.until(lambda sink: any(text in line for line in sink.lines()))

    def all(self, kind: type[B]) -> list[B]:
        return [body for body in self.bodies if isinstance(body, kind)]

    def records(self, *streams: Stream) -> list[LogRecord]:
        records = [record for log in self.all(Log) for record in log.records]
        return [record for record in records if not streams or record.stream in streams]

    def lines(self, *streams: Stream) -> list[str]:
        return [record.text for record in self.records(*streams)]

    @property
    def out(self) -> list[str]:
        return self.lines(Stream.STDOUT)

    @property
    def err(self) -> list[str]:
        return self.lines(Stream.STDERR)

    @property
    def ended(self) -> Ended:
        found = self.all(Ended)
        assert len(found) == 1
        assert self.bodies[-1] is found[0]
        return found[0]

    @property
    def started(self) -> Started:
        (found,) = self.all(Started)
        return found

    @property
    def outputs(self) -> dict[str, Any]:
        return {output.name: output.value for output in self.all(Output)}


class KeepingUploader:
    """Keeps the content of what is uploaded, by name."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.types: dict[str, str] = {}

    async def upload(self, path: Path, name: str, media_type: str) -> ArtifactStored:
        content = await asyncio.to_thread(path.read_bytes)
        self.kept[name] = content
        self.types[name] = media_type
        return ArtifactStored(name, hashlib.sha256(content).hexdigest(), len(content), media_type)


@dataclass
class Trial:
    """One attempt and all that is seen of it."""

    execution: AttemptExecution
    workspace: Path
    sink: RecordingSink
    uploader: KeepingUploader
    plan: AttemptPlan

    async def run(self) -> "Trial":
        async with asyncio.timeout(WAIT_SECONDS):
            await self.execution.run()
        return self


@dataclass
class Lab:
    """Makes attempts."""

    services: ExecutionServices
    folder: Path
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def trial(
        self,
        source: str = "",
        *,
        files: dict[str, str] | None = None,
        launch: Launch = SCRIPT,
        limits: Limits = Limits(),
        inputs: dict[str, Any] | None = None,
        environment: EnvironmentSpec = PLAIN,
        sink: RecordingSink | None = None,
        grace_seconds: float = 10,
    ) -> Trial:
        number = next(self.numbers)
        package = self.folder / f"package-{number}.zip"
        with zipfile.ZipFile(package, "w") as archive:
            for name, text in {"main.py": source, **(files or {})}.items():
                archive.writestr(name, textwrap.dedent(text))
        plan = AttemptPlan(
            attempt_id=f"att_{number}",
            run_id="run_1",
            number=1,
            token="token",
            bot_name="trial",
            version=3,
            package_sha256="0" * 64,
            package_bytes=package.stat().st_size,
            environment=environment,
            launch=launch,
            limits=limits,
            inputs=inputs or {},
            grace_seconds=grace_seconds,
        )
        sink, uploader = sink or RecordingSink(), KeepingUploader()
        workspace = self.folder / f"attempt-{number}"
        execution = AttemptExecution(
            plan, package=package, workspace=workspace, sink=sink, uploader=uploader, services=self.services
        )
        return Trial(execution, workspace, sink, uploader, plan)

    async def run(self, source: str = "", **options: Any) -> Trial:
        return await self.trial(source, **options).run()


def cold(launch: Launch = SCRIPT) -> Launch:
    return Launch(**{name: getattr(launch, name) for name in launch.__struct_fields__} | {"warm": False})


def command(*words: str, **options: Any) -> Launch:
    return Launch(LaunchKind.COMMAND, arguments=words, **options)


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def until_gone(*pids: int) -> None:
    """Wait for processes to end, with a limit."""
    async with asyncio.timeout(WAIT_SECONDS):
        while any(lives(pid) for pid in pids):
            await asyncio.sleep(0.01)
