"""Begin, check, try and publish bots; look at their versions, compare and roll back."""

import asyncio
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from controlroom.cli.client import UrlOption, connect
from controlroom.cli.local.console import AttemptConsole
from controlroom.cli.output import EXIT_FAILED, err, out, print_json, print_table
from controlroom.creator.given_inputs import inputs_from_pairs, inputs_from_text
from controlroom.creator.scaffold import DEFAULT_TEMPLATE, begin_bot, template_names
from controlroom.foundation.errors import Invalid

app = typer.Typer(help=__doc__, no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
SourceArgument = Annotated[Path, typer.Argument(help="Folder of the bot, or its one script.", exists=True)]
BotArgument = Annotated[str, typer.Argument(help="Id or name of the bot.")]
NumberArgument = Annotated[int, typer.Argument(min=1, help="Number of a version.")]

_ENVIRONMENTS = Path("environments-for-trying")


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="Folder to make; its name becomes the bot's.")],
    template: Annotated[
        str, typer.Option("--format", help=f"What to begin with: {', '.join(template_names())}.")
    ] = DEFAULT_TEMPLATE,
) -> None:
    """Begin a bot: a folder with what it takes to run."""
    for name in begin_bot(folder, template):
        out.print(str(folder / name), markup=False)
    err.print(f"Try it: controlroom bot run {folder}", markup=False)


@app.command()
def check(source: SourceArgument, json: JsonOption = False) -> None:
    """Say all that is wrong with a bot, or worth knowing; exit code 1 if it could not be published."""
    from controlroom.creator.trial import read_source

    with tempfile.TemporaryDirectory(prefix="controlroom-") as folder:
        _, packed, report = read_source(source, Path(folder))
    findings = [
        {
            "severity": each.severity.value,
            "code": each.code,
            "file": each.file,
            "line": each.line,
            "message": each.message,
        }
        for each in report.findings
    ]
    name = report.manifest.name if report.manifest else None
    if json:
        print_json(
            {"name": name, "sha256": packed.facts.sha256, "files": list(packed.names), "findings": findings}
        )
    else:
        for each in findings:
            place = f"{each['file']}:{each['line']}" if each["line"] else each["file"]
            out.print(f"{each['severity']}: {place}: {each['message']}".replace(": : ", ": "), markup=False)
        out.print(
            f"{name or source}: {len(packed.names)} files, {packed.facts.size_bytes:,} bytes packed.",
            markup=False,
        )
    if report.errors:
        raise typer.Exit(EXIT_FAILED)


@app.command()
def run(
    source: SourceArgument,
    *,
    given: Annotated[
        list[str] | None, typer.Option("--input", "-i", help="An input as name=value; may be given again.")
    ] = None,
    inputs: Annotated[Path | None, typer.Option(help="JSON file with the inputs.")] = None,
    task: Annotated[str, typer.Option(help="Task of the package; its default where absent.")] = "",
    output: Annotated[Path, typer.Option(help="Folder for the files that the bot leaves.")] = Path("output"),
    json: JsonOption = False,
) -> None:
    """Run a bot here, without any Control Room, as a runner would; the exit code is the bot's.

    Ctrl-C asks the bot to end in its own way; a second one ends it at once.
    """
    trial = asyncio.run(_try(source, given or [], inputs, task, output, quiet=json))
    ended = trial.ended
    if json:
        print_json(
            {
                "outcome": ended.outcome.value if ended else None,
                "message": ended.message if ended else "",
                "exit_code": ended.exit_code if ended else None,
                "outputs": trial.outputs,
                "artifacts": [each.name for each in trial.artifacts],
            }
        )
    else:
        for name, value in trial.outputs.items():
            out.print(f"output {name} = {value}", markup=False)
        for each in trial.artifacts:
            out.print(f"file {output / each.name}", markup=False)
    raise typer.Exit(trial.exit_code)


async def _try(
    source: Path, pairs: list[str], file: Path | None, task: str, output: Path, *, quiet: bool
) -> Any:
    from controlroom.creator.trial import Attempt, try_bot
    from controlroom.foundation.telemetry import configure_logging
    from controlroom.runner.identity import default_state_folder

    configure_logging("warning", "text")
    loop = asyncio.get_running_loop()
    interrupting: set[asyncio.Task[None]] = set()

    def listen(attempt: Attempt) -> None:
        def interrupt() -> None:
            interrupting.add(asyncio.ensure_future(attempt.interrupt()))

        try:
            loop.add_signal_handler(signal.SIGINT, interrupt)
        except NotImplementedError:  # Windows has no signal handlers of a loop; Ctrl-C ends the command there
            return

    def inputs_for(schema: Mapping[str, Any]) -> dict[str, Any]:
        return {**_inputs_of_file(file), **inputs_from_pairs(pairs, dict(schema))}

    return await try_bot(
        source,
        given=inputs_for,
        output=output,
        state=default_state_folder().parent / _ENVIRONMENTS,
        console=AttemptConsole(quiet=quiet),
        task=task,
        on_start=listen,
    )


def _inputs_of_file(file: Path | None) -> dict[str, Any]:
    try:
        return {} if file is None else inputs_from_text(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} cannot be read: {error}.") from None


@app.command()
def publish(
    source: SourceArgument,
    *,
    name: Annotated[str, typer.Option(help="The bot's name; what the package declares where absent.")] = "",
    folder: Annotated[str, typer.Option(help="The bot's folder in the Control Room.")] = "",
    note: Annotated[str, typer.Option(help="What is new in this version.")] = "",
    make_current: Annotated[
        bool, typer.Option("--make-current/--no-current", help="Whether it is run from now on.")
    ] = True,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Publish a bot as a new version; the same content as before changes nothing."""
    from controlroom.creator.trial import read_source

    with tempfile.TemporaryDirectory(prefix="controlroom-") as work, connect(url) as client:
        zipped, packed, _ = read_source(source, Path(work))
        published = client.upload(
            "/bots",
            zipped,
            "application/zip",
            name=name,
            folder=folder,
            note=note,
            make_current=str(make_current).lower(),
            sha256=packed.facts.sha256,
        )
    if json:
        print_json(published)
        return
    for warning in published["warnings"]:
        err.print(f"warning: {warning['file']}: {warning['message']}", markup=False)
    said = "published" if published["created"] else "had this content already"
    out.print(f"{published['bot']['name']} version {published['version']['number']} {said}.", markup=False)


@app.command("list")
def list_bots(
    filter: Annotated[str, typer.Argument(help="Words such as 'folder:/finance reconcile'.")] = "",
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """List bots."""
    with connect(url) as client:
        bots = list(client.pages("/bots", filter=filter))
    if json:
        print_json(bots)
    else:
        columns = ["Bot", "Folder", "Current", "Latest", "Description"]
        names = ("name", "folder", "current_version", "latest_version", "description")
        print_table(columns, [[bot[column] for column in names] for bot in bots])


@app.command()
def versions(bot: BotArgument, url: UrlOption = None, json: JsonOption = False) -> None:
    """List a bot's versions, newest first."""
    with connect(url) as client:
        found = list(client.pages(f"/bots/{bot}/versions"))
    if json:
        print_json(found)
        return
    rows = [
        [each["number"], "current" if each["is_current"] else "retired" if each["retired_at"] else "", each["sha256"][:12],
         each["published_at"][:19], each["published_by"], each["note"]]
        for each in found
    ]  # fmt: skip
    print_table(["Version", "", "SHA-256", "Published", "By", "Note"], rows)


@app.command()
def compare(
    bot: BotArgument,
    before: NumberArgument,
    after: NumberArgument,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Compare two versions file by file."""
    with connect(url) as client:
        comparison = client.get(f"/bots/{bot}/compare", before=before, after=after)
    if json:
        print_json(comparison)
        return
    for change in comparison["changes"]:
        out.print(f"{change['kind']} {change['path']} {change['note']}".rstrip(), markup=False)
        if change["diff"]:
            out.print(change["diff"].rstrip(), markup=False)
    out.print(f"{comparison['same_files']} files are the same.", markup=False)


@app.command()
def rollback(bot: BotArgument, version: NumberArgument, url: UrlOption = None) -> None:
    """Make another version the current one; runs that are asked for from now on take it."""
    with connect(url) as client:
        client.put(f"/bots/{bot}/current", {"number": version})
    out.print(f"Version {version} of {bot} is the current one.", markup=False)


@app.command()
def retire(
    bot: BotArgument,
    version: NumberArgument,
    undo: Annotated[bool, typer.Option("--undo", help="Take a retirement back.")] = False,
    url: UrlOption = None,
) -> None:
    """Keep a version from being run any more; it stays to be looked at."""
    with connect(url) as client:
        client.post(f"/bots/{bot}/versions/{version}/{'unretire' if undo else 'retire'}")
    out.print(f"Version {version} of {bot} is {'in use again' if undo else 'retired'}.", markup=False)
