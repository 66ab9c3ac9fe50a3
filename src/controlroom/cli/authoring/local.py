"""Commands that need no Control Room: begin a bot, check it, try it."""

import asyncio
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from controlroom.cli.authoring.console import TrialConsole
from controlroom.cli.output import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    err,
    out,
    print_json,
)
from controlroom.foundation.errors import Invalid

if TYPE_CHECKING:
    from controlroom.bots.check import CheckReport, Finding
    from controlroom.bots.manifest import JsonSchema
    from controlroom.creator.trial import Attempt, Trial

PathArgument = Annotated[
    Path, typer.Argument(metavar="PATH", help="The bot's folder, or its single script.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
_LARGEST_INPUTS_FILE = 1024 * 1024


def new(
    name: Annotated[Path, typer.Argument(help="The new bot's name, and its folder.")],
    format_: Annotated[
        str, typer.Option("--format", help="What it is made of: pep723, pyproject, requirements or robot.")
    ] = "pep723",
    json: JsonOption = False,
) -> None:
    """Begin a bot in a new folder, with inputs, an output and a log line to change."""
    from controlroom.creator.scaffold import begin_bot

    files = begin_bot(name, format_)
    if json:
        print_json({"folder": str(name), "files": files})
        return
    for file in files:
        out.print(f"{name / file}", markup=False)
    out.print(f"Try it with 'controlroom bot run {name}'.", markup=False)


def check(path: PathArgument, json: JsonOption = False) -> None:
    """Read a bot as a Control Room would and say what is wrong with it; exit code 1 where it cannot be published."""
    from controlroom.creator.trial import read_source

    with tempfile.TemporaryDirectory() as temporary:
        _, packed, report = read_source(path, Path(temporary))
    if json:
        print_json(_report_facts(report, packed.facts.files, packed.facts.size_bytes))
    else:
        for finding in report.findings:
            _print_finding(finding)
        _print_summary(report, packed.facts.files, packed.facts.size_bytes)
    if not report.passed:
        raise typer.Exit(EXIT_FAILED)


def run(
    path: PathArgument,
    *,
    input_: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            metavar="NAME=VALUE",
            help="An input; may be given several times. A file is given by its path.",
            show_default=False,
        ),
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="A JSON file with inputs; '-' reads standard input.", show_default=False
        ),
    ] = None,
    task: Annotated[str, typer.Option(help="The task to run; the default one where none is given.")] = "",
    output: Annotated[Path, typer.Option(help="Folder for the files that the bot keeps.")] = Path("output"),
    state: Annotated[
        Path | None,
        typer.Option(
            help="Folder that keeps environments for the next time.",
            envvar="CONTROLROOM_RUNNER_STATE",
            show_default=False,
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON; the log goes to standard error.")
    ] = False,
) -> None:
    """Run a bot on this machine as a runner would, with no Control Room.

    Ends with the bot's own exit code. Ctrl-C asks the bot to end in its own way; a second one ends it at once.
    """
    from controlroom.creator.trial import try_bot
    from controlroom.foundation.telemetry import configure_logging
    from controlroom.runner.identity import default_state_folder

    configure_logging("warning", "text")
    with _Keyboard() as keyboard:
        trial = asyncio.run(
            try_bot(
                path,
                given=_giver(input_ or [], inputs),
                output=output,
                state=state or default_state_folder(),
                console=TrialConsole(err if json else out),
                task=task,
                on_start=keyboard.listen,
            )
        )
    if json:
        print_json(_trial_facts(trial, output))
    elif trial.artifacts:
        out.print(f"Files are in {output}", markup=False)
    if keyboard.was_used:
        raise typer.Exit(EXIT_INTERRUPTED)
    if trial.exit_code != EXIT_DONE:
        raise typer.Exit(trial.exit_code or EXIT_FAILED)


class _Keyboard:
    """Turns Ctrl-C, and SIGTERM, into a request to the attempt; the bot itself does not get the signal."""

    def __init__(self) -> None:
        self.was_used = False
        self._before: dict[int, Any] = {}
        self._pending: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def listen(self, attempt: "Attempt") -> None:
        """Send what the keyboard says to an attempt from now on. Called inside the running loop."""
        loop = asyncio.get_running_loop()

        def on_signal(_number: int, _frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._interrupt, attempt)

        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, on_signal)

    def _interrupt(self, attempt: "Attempt") -> None:
        said = (
            "Ending the bot at once."
            if self.was_used
            else "Asking the bot to end; Ctrl-C again ends it at once."
        )
        err.print(said)
        self.was_used = True
        task = asyncio.get_running_loop().create_task(attempt.interrupt())
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)


def _giver(pairs: list[str], file: str | None) -> "Callable[[JsonSchema], Mapping[str, Any]]":
    def give(schema: "JsonSchema") -> Mapping[str, Any]:
        from controlroom.creator.given_inputs import inputs_from_pairs, inputs_from_text

        from_file = inputs_from_text(_read(file), file) if file is not None else {}
        return {**from_file, **inputs_from_pairs(pairs, schema)}

    return give


def _read(file: str) -> str:
    try:
        if file == "-":
            return sys.stdin.read(_LARGEST_INPUTS_FILE)
        with Path(file).open(encoding="utf-8-sig") as source:
            return source.read(_LARGEST_INPUTS_FILE)
    except OSError as error:
        raise Invalid(f"The inputs in {file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Invalid(f"The inputs in {file} are not UTF-8 text.") from None


def _print_finding(finding: "Finding") -> None:
    where = finding.file + (f":{finding.line}" if finding.line else "")
    style = "bold red" if finding.severity.value == "error" else "yellow"
    out.print(f"[{style}]{finding.severity.value}[/]", end=" ")
    shown = "" if not where or finding.message.startswith(finding.file) else f"{where}: "
    out.print(f"{shown}{finding.message} ({finding.code})", markup=False)


def _print_summary(report: "CheckReport", files: int, size_bytes: int) -> None:
    manifest = report.manifest
    if manifest is None or not report.passed:
        out.print(f"{_count(len(report.errors), 'error')}: the bot cannot be published.")
        return
    tasks = ", ".join(task.name for task in manifest.tasks)
    out.print(
        f"{manifest.name}: {manifest.format}, task {tasks}, {_count(files, 'file')}, {size_bytes:,} bytes packed; "
        f"{_count(len(report.warnings), 'warning')}. It can be published.",
        markup=False,
    )


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}" if number else f"no {thing}s"


def _report_facts(report: "CheckReport", files: int, size_bytes: int) -> dict[str, Any]:
    manifest = report.manifest
    return {
        "passed": report.passed,
        "name": manifest.name if manifest else None,
        "format": manifest.format if manifest else None,
        "tasks": [task.name for task in manifest.tasks] if manifest else [],
        "files": files,
        "size_bytes": size_bytes,
        "findings": [
            {
                "severity": finding.severity.value,
                "code": finding.code,
                "message": finding.message,
                "file": finding.file,
                "line": finding.line,
            }
            for finding in report.findings
        ],
    }


def _trial_facts(trial: "Trial", output: Path) -> dict[str, Any]:
    ended = trial.ended
    return {
        "bot": trial.manifest.name,
        "outcome": ended.outcome.value if ended else None,
        "exit_code": ended.exit_code if ended else None,
        "message": ended.message if ended else "",
        "outputs": trial.outputs,
        "artifacts": [
            {"path": str(output / kept.name), "sha256": kept.sha256, "size_bytes": kept.size_bytes}
            for kept in trial.artifacts
        ],
        "wall_seconds": round(ended.usage.wall_seconds, 3) if ended else None,
        "cpu_seconds": round(ended.usage.cpu_seconds, 3) if ended else None,
        "peak_memory_bytes": ended.usage.peak_memory_bytes if ended else None,
    }
