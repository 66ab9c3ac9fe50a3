"""Ask for runs, follow their logs, control them, fetch what they leave."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from controlroom.cli.client import UrlOption, connect
from controlroom.cli.client.input_files import inputs_to_send
from controlroom.cli.client.logs import ENDED, attempt_of, follow_log, lines_of, print_line
from controlroom.cli.output import EXIT_FAILED, err, out, print_facts, print_json, print_table
from controlroom.foundation.errors import Invalid
from controlroom.foundation.file_names import safe_names

app = typer.Typer(help=__doc__, no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
RunArgument = Annotated[str, typer.Argument(help="Id of the run.")]
FilterArgument = Annotated[
    str, typer.Argument(help="Words such as 'state:failed bot:reconcile created>=2026-01-31'.")
]

_MEGABYTE = 1024 * 1024


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
        body["inputs"] = inputs_to_send(client, (bot, version, task), inputs, given or [])
        run = client.post("/runs", {**body, **{name: value for name, value in optional.items() if value}})
        if wait:
            err.print(f"Run {run['id']}", markup=False)
            follow_log(client, run["id"], to=err if json else out)
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
            follow_log(client, run, level)
            return
        for line in lines_of(client, attempt_of(client, run, attempt)["id"], 0, level):
            print_line(line)


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
        found = client.get(f"/attempts/{attempt_of(client, run, attempt)['id']}/usage")
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


def _print_state(run: dict[str, Any]) -> None:
    asked = " (cancel asked for)" if run["cancel_requested_at"] and run["state"] not in ENDED else ""
    out.print(f"{run['id']} {run['state']}{asked}", markup=False)


def _inside(folder: Path, name: str) -> Path:
    """Return where a file of a run goes; its name comes from the bot, and may not lead out of the folder."""
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise Invalid(f"The artifact's name '{name}' leads out of {folder}; download it in the browser.")
    return target
