"""Tries a bot on the author's machine, with no Control Room: the same zip, manifest, inputs, plan and execution.

What a runner does with a published version is done here with a folder, so that a bot that works here works there.
"""

import asyncio
import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from controlroom.bots.archive import PackageLimits, open_package
from controlroom.bots.check import CheckReport, check_package, require_passed
from controlroom.bots.errors import PackageRefused
from controlroom.bots.inputs import check_inputs
from controlroom.bots.manifest import JsonSchema, Manifest
from controlroom.bots.packages import PackedPackage, pack
from controlroom.creator.local_files import local_files
from controlroom.foundation.errors import Unavailable
from controlroom.foundation.ids import new_id
from controlroom.protocol.messages import ArtifactStored, Ended, Outcome, Output, ReportBody
from controlroom.protocol.plan import AttemptPlan, PlannedFile
from controlroom.runner.execution import AttemptExecution, ExecutionServices, discard_workspace

ENVIRONMENT_LIMIT_MB = 10_240
GRACE_SECONDS = 10.0
_PIECE_BYTES = 256 * 1024

GivenInputs = Callable[[JsonSchema], Mapping[str, Any]]
"""Gives the inputs once the schema is known, before they are checked."""


class Console(Protocol):
    """Shows what an attempt reports as it comes; must not wait."""

    def show(self, body: ReportBody) -> None:
        """Show one report."""
        ...


@dataclass(slots=True)
class Trial:
    """What came of it. ``artifacts`` are the files' names below the output folder."""

    manifest: Manifest
    package: PackedPackage
    ended: Ended | None = None
    outputs: dict[str, Any] = field(default_factory=dict)
    artifacts: list[ArtifactStored] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """The exit code for the author's shell: the bot's own where it ended by itself and failed, else 1."""
        if self.ended is None:
            return 1
        if self.ended.outcome is Outcome.SUCCEEDED:
            return 0
        code = self.ended.exit_code if self.ended.outcome is Outcome.FAILED else None
        return code if code is not None and 0 < code < 256 else 1


class Attempt:
    """A trial that is going on; what a keyboard may do to it."""

    def __init__(self, execution: AttemptExecution) -> None:
        self._execution = execution
        self._asked = False

    @property
    def was_interrupted(self) -> bool:
        """Whether its end was asked for."""
        return self._asked

    async def interrupt(self) -> None:
        """Ask the bot to end in its own way; the second time, end its whole process tree."""
        if self._asked:
            await self._execution.kill("It was stopped from the keyboard.")
            return
        self._asked = True
        await self._execution.cancel(GRACE_SECONDS, Outcome.CANCELLED, "It was cancelled from the keyboard.")


def read_source(source: Path, folder: Path) -> tuple[Path, PackedPackage, CheckReport]:
    """Pack a folder or script and read the zip back as a Control Room would; raise `PackageRefused`. Blocking."""
    zipped = folder / "package.zip"
    with zipped.open("w+b") as target:
        packed = pack(source, target)
    name = source.stem if source.is_file() else source.resolve().name
    with open_package(zipped, PackageLimits(), name) as files:
        return zipped, packed, check_package(files)


async def try_bot(
    source: Path,
    *,
    given: GivenInputs,
    output: Path,
    state: Path,
    console: Console,
    task: str = "",
    on_start: Callable[[Attempt], None] = lambda _attempt: None,
) -> Trial:
    """Run a bot once and return what came of it; ``state`` keeps environments for the next time.

    Raises `PackageRefused`, `DeclarationInvalid`, `NoSuchTask` and `InputsInvalid` before anything is started.
    """
    with tempfile.TemporaryDirectory(prefix="controlroom-", ignore_cleanup_errors=True) as temporary:
        work = Path(temporary)
        zipped, packed, report = await asyncio.to_thread(read_source, source, work)
        manifest = require_passed(report).on_machine(platform.system(), platform.machine())
        schema = manifest.inputs_of(task)
        files = await asyncio.to_thread(local_files, schema, given(schema))
        inputs = await asyncio.to_thread(check_inputs, schema, files.inputs)
        plan = make_plan(manifest, packed, task, inputs, files.planned)
        trial = Trial(manifest, packed)
        async with ExecutionServices.open(
            _made(state), environment_limit_mb=ENVIRONMENT_LIMIT_MB, warm=False
        ) as services:
            workspace = work / "attempt"
            await asyncio.to_thread(files.place, workspace)
            execution = AttemptExecution(
                plan,
                package=zipped,
                workspace=workspace,
                sink=_Sink(trial, console),
                uploader=_Keeper(output),
                services=services,
            )
            on_start(Attempt(execution))
            try:
                await execution.run()
            finally:
                await discard_workspace(workspace)
        return trial


def make_plan(
    manifest: Manifest,
    packed: PackedPackage,
    task: str,
    inputs: Mapping[str, Any],
    files: tuple[PlannedFile, ...] = (),
) -> AttemptPlan:
    """Return the plan that a Control Room would make for the first attempt of a run; raise `NoSuchTask`."""
    if manifest.environment is None:
        system = f"{platform.system()} on {platform.machine()}"
        raise PackageRefused(f"The package has no environment for {system}.")
    return AttemptPlan(
        attempt_id=new_id("att"),
        run_id=new_id("run"),
        number=1,
        token="",
        bot_name=manifest.name,
        version=0,
        package_sha256=packed.facts.sha256,
        package_bytes=packed.facts.size_bytes,
        environment=manifest.environment,
        launch=manifest.task(task).launch,
        limits=manifest.limits,
        inputs=dict(inputs),
        grace_seconds=GRACE_SECONDS,
        exclusive=manifest.exclusive,
        files=files,
    )


class _Sink:
    """Takes the attempt's reports: keeps what the result needs and shows all."""

    def __init__(self, trial: Trial, console: Console) -> None:
        self._trial = trial
        self._console = console

    async def report(self, body: ReportBody) -> None:
        if isinstance(body, Output):
            self._trial.outputs[body.name] = body.value
        elif isinstance(body, ArtifactStored):
            self._trial.artifacts = [one for one in self._trial.artifacts if one.name != body.name]
            self._trial.artifacts.append(body)
        elif isinstance(body, Ended):
            self._trial.ended = body
        self._console.show(body)


class _Keeper:
    """Copies artifacts to a folder of the author's; one that is there under the name is replaced."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def upload(self, path: Path, name: str, media_type: str) -> ArtifactStored:
        return await asyncio.to_thread(self._keep, path, name, media_type)

    def _keep(self, path: Path, name: str, media_type: str) -> ArtifactStored:
        folder = self._folder.resolve()
        target = folder.joinpath(*name.split("/"))
        aside = target.with_name(f".{target.name[:200]}.part")
        if not target.resolve().is_relative_to(folder):
            raise Unavailable(f"The artifact {name} would be kept outside of {folder}; it is left out.")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, aside)
            os.replace(aside, target)
        except OSError as error:
            raise Unavailable(f"The artifact {name} cannot be kept in {folder}: {error.strerror}.") from None
        finally:
            aside.unlink(missing_ok=True)
        with target.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return ArtifactStored(name, digest, target.stat().st_size, media_type)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Unavailable(
            f"The folder {folder}, where environments are kept, cannot be made: {error.strerror}."
        ) from None
    return folder
