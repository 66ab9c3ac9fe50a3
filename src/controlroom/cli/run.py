"""Ask for runs, follow their logs, control them, fetch what they leave."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from controlroom.cli.client import UrlOption, connect
from controlroom.cli.client.input_files import with_uploaded_files
from controlroom.cli.client.rest import Client
from controlroom.cli.output import EXIT_FAILED, err, out, print_facts, print_json, print_table
from controlroom.creator.given_inputs import inputs_from_pairs, inputs_from_text
from controlroom.foundation.errors import Invalid
from controlroom.foundation.file_names import safe_names

app = typer.Typer(help=__doc__, no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
RunArgument = Annotated[str, typer.Argument(help="Id of the run.")]
FilterArgument = Annotated[
    str, typer.Argument(help="Words such as 'state:failed bot:reconcile created>=2026-01-31'.")
]

_ENDED = frozenset({"succeeded", "failed", "cancelled", "timed_out", "lost", "rejected"})
_LOOK_SECONDS = 0.3
_LINES_AT_ONCE = 1_000
_MEGABYTE = 1024 * 1024
_LEVEL_STYLES = {"error": "red", "warning": "yellow", "debug": "dim"}


@app.command()
def start(
    bot: Annotated[str, typer.Argument(help="Id or name of the bot.")],
    *,
    given: Annotated[list[str] | None, typer.Option("--input", "-i", help="An input as name=value, a file as name=@path; may be given again.")] = None,
    inputs: Annotated[Path | None, typer.Option(help="JSON file with the inputs.")] = None,
    version: Annotated[int | None, typer.Option(min=1, help="Number of a version; the current one where absent.")] = None,
    task: Annotated[str, typer.Option(help="Task of the package.")] = "",
    device: Annotated[str, typer.Option(help="Id or name of the device to run on.")] = "",
    pool: Annotated[str, typer.Option(help="Id or name of a device pool.")] = "",
    label: Annotated[list[str] | None, typer.Option(help="Label that the device must have; may be given again.")] = None,
    priority: Annotated[int, typer.Option(min=0, max=100, help="Higher goes first.")] = 50,
    timeout: Annotated[float | None, typer.Option(min=0.001, help="Time limit in seconds; the bot's own where absent.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for whoever reads the history.")] = "",
    idempotency_key: Annotated[str, typer.Option(help="The same key gives the same run.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Follow the log until the run has ended; exit code 1 unless it succeeded.")] = False,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Ask for a run of a bot."""
    body: dict[str, Any] = {
        "bot": bot,
        "priority": priority,
        "reason": reason,
        "task": task,
        "labels": label or [],
    }
    optional = {
        "version": version,
        "device": device,
        "pool": pool,
        "timeout_seconds": timeout,
        "idempotency_key": idempotency_key,
    }
    with connect(url) as client:
        body["inputs"] = _inputs(client, (bot, version, task), inputs, given or [])
        run = client.post("/runs", {**body, **{name: value for name, value in optional.items() if value}})
        if wait:
            err.print(f"Run {run['id']}", markup=False)
            _follow(client, run["id"])
            run = client.get(f"/runs/{run['id']}")
    if json:
        print_json(run)
    elif wait:
        out.print(f"{run['state']}. {run['message']}".strip(), markup=False)
    else:
        out.print(run["id"], markup=False)
    if wait and run["state"] != "succeeded":
        raise typer.Exit(EXIT_FAILED)


@app.command("list")
def list_runs(
    filter: FilterArgument = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most runs to list.")] = 50,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """List runs, newest first."""
    with connect(url) as client:
        runs = list(client.pages("/runs", limit=limit, filter=filter))
    if json:
        print_json(runs)
        return
    columns = ["Run", "Bot", "State", "Device", "Asked for", "By"]
    print_table(
        columns,
        [
            [
                run["id"],
                run["bot_name"],
                run["state"],
                run["device_name"],
                run["created_at"][:19],
                run["requested_by"],
            ]
            for run in runs
        ],
    )


@app.command()
def show(run: RunArgument, url: UrlOption = None, json: JsonOption = False) -> None:
    """Show a run, its attempts and its history."""
    with connect(url) as client:
        found = client.get(f"/runs/{run}")
    if json:
        print_json(found)
        return
    names = (
        "id",
        "bot_name",
        "version_number",
        "state",
        "message",
        "waiting_because",
        "device_name",
        "requested_by",
        "reason",
    )
    print_facts({name.replace("_", " ").capitalize(): found[name] for name in names if found[name]})
    for name in ("inputs", "outputs"):
        for key, value in found[name].items():
            out.print(f"{name[:-1]} {key} = {value}", markup=False)
    print_table(
        ["Time", "State", "What"],
        [[row["time"][:19], row["state"], row["message"]] for row in found["history"]],
    )


@app.command()
def log(
    run: RunArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Number of the attempt; the newest where absent.")
    ] = None,
    level: Annotated[str, typer.Option(help="Least level: debug, info, warning or error.")] = "debug",
    url: UrlOption = None,
) -> None:
    """Print a run's log."""
    with connect(url) as client:
        if follow and attempt is None:
            _follow(client, run, level)
            return
        for line in _lines(client, _attempt(client, run, attempt)["id"], 0, level):
            _print_line(line)


@app.command()
def usage(
    run: RunArgument,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Number of the attempt; the newest where absent.")
    ] = None,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Show what a run's processes used over time: processors and memory."""
    with connect(url) as client:
        found = client.get(f"/attempts/{_attempt(client, run, attempt)['id']}/usage")
    if json:
        print_json(found)
        return
    rows = [
        [
            each["time"][:19],
            f"{each['seconds']:.0f}",
            f"{each['processors']:.2f}",
            f"{each['memory_bytes'] / _MEGABYTE:,.0f}",
        ]
        for each in found["samples"]
    ]
    print_table(["Until", "Seconds", "Processors", "Memory, MB"], rows)
    out.print(
        f"At most {found['peak_processors']:.2f} processors and {found['peak_memory_bytes'] / _MEGABYTE:,.0f} MB.",
        markup=False,
    )


@app.command()
def cancel(
    run: RunArgument,
    reason: Annotated[str, typer.Option(help="Why, for whoever reads the history.")] = "",
    url: UrlOption = None,
) -> None:
    """Cancel a run: at once while it waits, with a polite signal first once it is active."""
    with connect(url) as client:
        _print_state(client.post(f"/runs/{run}/cancel", {"reason": reason}))


@app.command()
def pause(run: RunArgument, url: UrlOption = None) -> None:
    """Halt a running bot."""
    with connect(url) as client:
        _print_state(client.post(f"/runs/{run}/pause"))


@app.command()
def resume(run: RunArgument, url: UrlOption = None) -> None:
    """Let a paused bot go on."""
    with connect(url) as client:
        _print_state(client.post(f"/runs/{run}/resume"))


@app.command()
def repeat(run: RunArgument, url: UrlOption = None) -> None:
    """Run again with the same version and inputs."""
    with connect(url) as client:
        out.print(client.post(f"/runs/{run}/repeat", {})["id"], markup=False)


@app.command()
def compare(
    run: RunArgument,
    other: Annotated[
        str, typer.Option("--with", help="Id of a run; the bot's last success where absent.")
    ] = "",
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Compare a run with the last one of its bot that succeeded, or with another."""
    with connect(url) as client:
        found = client.get(f"/runs/{run}/comparison", other=other)
    if json:
        print_json(found)
        return
    out.print(f"Before: {found['other']['id']}   after: {found['run']['id']}", markup=False)
    named = [("", row) for row in found["facts"]]
    named += [("input ", row) for row in found["inputs"]] + [("output ", row) for row in found["outputs"]]
    rows = [[f"{kind}{row['name']}", row["before"], row["after"]] for kind, row in named if row["differs"]]
    print_table(["What differs", "Before", "After"], rows)
    part = found["log"]
    if part is None:
        out.print("One of them has no log.")
    elif part["line"] is None:
        out.print(f"The logs do not differ in {part['looked_at']:,} lines but for times and ids.")
    else:
        out.print(f"The logs part at line {part['line'] + 1:,}:")
        for sign, side in (("-", part["before"]), ("+", part["after"])):
            out.print(f"{sign} {side['text'] if side else '(the log has ended)'}", markup=False)


@app.command()
def export(
    filter: FilterArgument = "",
    to: Annotated[Path, typer.Option("--to", help="The CSV file to write.")] = Path("runs.csv"),
    url: UrlOption = None,
) -> None:
    """Write all runs that a filter finds to a CSV file."""
    with connect(url) as client:
        client.download(f"/runs/export?{urlencode({'filter': filter})}", to)
    out.print(f"Written to {to}.", markup=False)


@app.command("many")
def many(
    action: Annotated[str, typer.Argument(help="cancel or repeat.")],
    filter: FilterArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")] = False,
    reason: Annotated[str, typer.Option(help="Why, for whoever reads the history.")] = "",
    url: UrlOption = None,
) -> None:
    """Cancel, or run again, all runs that a filter finds; says first what it will do."""
    if action not in ("cancel", "repeat"):
        raise Invalid(f"'{action}' cannot be done to many runs; cancel and repeat can.")
    with connect(url) as client:
        body = {"filter": filter, "reason": reason}
        plan = client.post(f"/runs/{action}/summary", body)
        out.print(plan["words"], markup=False)
        if not plan["changes"] or not (yes or typer.confirm("Do it?")):
            return
        results = client.post(f"/runs/{action}", body)
    refused = [each for each in results if not each["done"]]
    for each in refused:
        err.print(f"{each['id']}: {each['message']}", markup=False)
    out.print(f"{len(results) - len(refused):,} done, {len(refused):,} refused.")
    if refused:
        raise typer.Exit(EXIT_FAILED)


@app.command()
def artifacts(
    run: RunArgument,
    download: Annotated[Path | None, typer.Option(help="Folder to write the files to.")] = None,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """List the files that a run left, or fetch them."""
    with connect(url) as client:
        found = client.get(f"/runs/{run}/artifacts")
        for artifact in found if download is not None else []:
            target = _inside(download or Path(), artifact["name"])
            target.parent.mkdir(parents=True, exist_ok=True)
            client.download(f"/artifacts/{artifact['id']}/content", target)
    if json:
        print_json(found)
    else:
        print_table(
            ["Name", "Bytes", "Type"],
            [[each["name"], each["size_bytes"], each["media_type"]] for each in found],
        )


@app.command()
def files(
    run: RunArgument,
    download: Annotated[Path | None, typer.Option(help="Folder to write the files to.")] = None,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """List the files that a run was given as inputs, or fetch them."""
    with connect(url) as client:
        found = client.get(f"/runs/{run}/files")
        names = safe_names(file["name"] for file in found)
        for file, name in zip(found, names, strict=True) if download is not None else ():
            target = _inside(download or Path(), name)
            target.parent.mkdir(parents=True, exist_ok=True)
            client.download(f"/runs/{run}/files/{file['id']}/content", target)
    if json:
        print_json(found)
    else:
        columns = ["Input", "Name", "Bytes", "Type"]
        rows = [[each["pointer"][1:], each["name"], each["size_bytes"], each["media_type"]] for each in found]
        print_table(columns, rows)


def _inputs(
    client: Client, subject: tuple[str, int | None, str], file: Path | None, pairs: list[str]
) -> dict[str, Any]:
    try:
        from_file = {} if file is None else inputs_from_text(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} cannot be read: {error}.") from None
    if not pairs and not from_file:
        return {}
    schema = _schema(client, *subject)
    return with_uploaded_files(client, schema, {**from_file, **inputs_from_pairs(pairs, schema)})


def _schema(client: Client, bot: str, version: int | None, task: str) -> dict[str, Any]:
    """Return the schema of the inputs that a run would be asked for, empty where that cannot be told."""
    current = client.get(f"/bots/{bot}")
    number = version or current.get("current_version")
    if not number:
        return {}
    manifest: dict[str, Any] = client.get(f"/bots/{bot}/versions/{number}").get("manifest", {})
    name = task or manifest.get("default_task", "")
    of_task = [each["inputs"] for each in manifest.get("tasks", ()) if each.get("name") == name]
    schema: dict[str, Any] = of_task[0] if of_task else manifest.get("inputs", {})
    return schema


def _attempt(client: Client, run: str, number: int | None) -> dict[str, Any]:
    """Return an attempt of a run, the newest where no number is given."""
    attempts: list[dict[str, Any]] = client.get(f"/runs/{run}/attempts")
    chosen = attempts[-1:] if number is None else [each for each in attempts if each["number"] == number]
    if not chosen:
        raise Invalid("The run has no such attempt." if attempts else "The run has not been attempted yet.")
    return chosen[0]


def _follow(client: Client, run_id: str, level: str = "debug") -> None:
    positions: dict[str, int] = {}
    while True:
        run = client.get(f"/runs/{run_id}")
        for attempt in run["attempts"]:
            for line in _lines(client, attempt["id"], positions.get(attempt["id"], 0), level):
                positions[attempt["id"]] = line["line"] + 1
                _print_line(line)
        if run["state"] in _ENDED:
            return
        time.sleep(_LOOK_SECONDS)


def _lines(client: Client, attempt_id: str, first: int, level: str) -> Iterator[dict[str, Any]]:
    position: int | None = first
    while position is not None:
        part = client.get(f"/attempts/{attempt_id}/log", first=position, limit=_LINES_AT_ONCE, level=level)
        yield from part["lines"]
        position = part["next_line"]


def _print_line(line: dict[str, Any]) -> None:
    style = _LEVEL_STYLES.get(line["level"])
    out.print(f"{line['time'][11:23]} {line['text']}", markup=False, style=style)


def _print_state(run: dict[str, Any]) -> None:
    asked = " (cancel asked for)" if run["cancel_requested_at"] and run["state"] not in _ENDED else ""
    out.print(f"{run['id']} {run['state']}{asked}", markup=False)


def _inside(folder: Path, name: str) -> Path:
    """Return where a file of a run goes; its name comes from the bot, and may not lead out of the folder."""
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise Invalid(f"The artifact's name '{name}' leads out of {folder}; download it in the browser.")
    return target
