"""Say at a glance what is broken, what runs, what comes next and how the devices are."""

from typing import Annotated, Any

import typer

from controlroom.cli.client import UrlOption, connect
from controlroom.cli.output import EXIT_FAILED, out, print_facts, print_json, print_table

app = typer.Typer(help=__doc__, invoke_without_command=True, no_args_is_help=False)


@app.callback()
def status(
    url: UrlOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit code 1 where runs failed or devices are offline.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts, trends included.")] = False,
) -> None:
    """Say at a glance what is broken, what runs, what comes next and how the devices are."""
    with connect(url) as client:
        found = client.get("/dashboard")
    if json:
        print_json(found)
    else:
        _print(found)
    broken, devices = found["broken"] or {}, found["devices"] or {}
    if check and (broken.get("failed") or devices.get("offline")):
        raise typer.Exit(EXIT_FAILED)


def _print(found: dict[str, Any]) -> None:
    facts: dict[str, object] = {}
    broken, running, waiting, devices = (found[name] for name in ("broken", "running", "waiting", "devices"))
    if broken is not None:
        facts["failed in 24 h"] = broken["failed"]
    if running is not None:
        facts["running"] = running["running"] + running["starting"]
        facts["paused"] = running["paused"]
    if waiting is not None:
        facts["waiting"] = waiting["total"]
    if devices is not None:
        facts["devices online"] = f"{devices['online']} of {devices['total']}"
        facts["devices offline"] = devices["offline"]
        facts["slots taken"] = f"{devices['taken']} of {devices['slots']}"
    print_facts(facts)
    if broken and broken["bots"]:
        out.print("\nFailed of late", style="bold")
        rows = [(bot["bot_name"], bot["failed"], bot["state"], bot["message"]) for bot in broken["bots"]]
        print_table(("Bot", "Runs", "Newest", "Why"), rows)
    if waiting and waiting["runs"]:
        out.print("\nComes next", style="bold")
        print_table(("Bot", "Run", "Why it waits"), [(each["run"]["bot_name"], each["run"]["id"], each["because"]) for each in waiting["runs"]])  # fmt: skip
