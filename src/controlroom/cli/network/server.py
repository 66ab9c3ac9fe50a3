"""`server`: the site that a Control Room keeps, read, declared and reported to over its API."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from controlroom.cli.client import UrlOption, connect
from controlroom.cli.network.group import FINDINGS, JsonOption, app, errors_as_exit_codes
from controlroom.cli.output import out, print_json, print_table
from controlroom.network.errors import NetworkError

server = typer.Typer(
    help="The site that a Control Room keeps; these commands need a key, see 'controlroom login'.",
    no_args_is_help=True,
)
app.add_typer(server, name="server")


@server.command()
def show(
    version: Annotated[int, typer.Option("--version", min=0, help="An older version.")] = 0,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the site file as it is declared, or as it was."""
    with connect(url) as client:
        found = client.get(f"/network/site/versions/{version}" if version else "/network/site")
    if as_json:
        print_json(found)
    else:
        typer.echo(found["text"], nl=False)


@server.command()
def versions(url: UrlOption = None, as_json: JsonOption = False) -> None:
    """List the versions of the site, newest first."""
    with connect(url) as client:
        found = client.get("/network/site/versions")
    if as_json:
        print_json(found)
        return
    rows = [
        (each["number"], each["name"], each["note"], each["declared_at"], each["declared_by"])
        for each in found
    ]
    print_table(("Version", "Site", "Why", "Declared", "By"), rows)


@server.command()
def declare(
    file: Annotated[Path, typer.Argument(help="The site file.")],
    note: Annotated[str, typer.Option("--note", help="Why it changes.")] = "",
    based_on: Annotated[
        int | None, typer.Option("--based-on", min=0, help="Refuse where another version is present by now.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only say what would open and close.")] = False,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Declare a site file as the present version, or say with --check what it would change."""
    with errors_as_exit_codes():
        text = file.read_text(encoding="utf-8")
    with connect(url) as client:
        if check:
            _tell_changes(client.post("/network/site/changes", {"text": text}), as_json=as_json)
            return
        declared = client.put("/network/site", {"text": text, "note": note, "based_on": based_on})
    if as_json:
        print_json(declared)
    else:
        out.print(f"declared version {declared['number']} of {declared['name']}", markup=False)


@server.command()
def prove(
    files: Annotated[list[Path], typer.Argument(help="The files of one firewall.")],
    place: Annotated[str, typer.Option("--place", help="Whose they are: a host of the site, or border.")],
    idle: Annotated[bool, typer.Option("--idle", help="Also find shadowed and redundant rules.")] = False,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have the Control Room prove a ruleset and keep the verdict."""
    with errors_as_exit_codes():
        sent = [{"name": file.name, "text": file.read_text(encoding="utf-8")} for file in files]
    with connect(url) as client:
        found = client.post("/network/proofs", {"place": place, "files": sent, "idle": idle})
    _tell_report(found, as_json=as_json)


@server.command()
def report(
    file: Annotated[Path, typer.Argument(help="What 'controlroom network check --format json' wrote.")],
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have the Control Room keep a report of probes."""
    with errors_as_exit_codes():
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise NetworkError(f"{file} is no report of 'check --format json': {error}") from None
    with connect(url) as client:
        found = client.post("/network/probes", content)
    _tell_report(found, as_json=as_json)


@server.command()
def reports(url: UrlOption = None, as_json: JsonOption = False) -> None:
    """List what proofs and probes found, newest first."""
    with connect(url) as client:
        found = client.get("/network/reports")
    if as_json:
        print_json(found)
        return
    rows = [
        (each["id"], each["kind"], each["subject"], _verdict(each), each["made_at"], each["made_by"])
        for each in found
    ]
    print_table(("Report", "Kind", "Of", "Verdict", "When", "By"), rows)


def _tell_changes(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    elif found["changes"] is None:
        out.print("it can stand, and would be the first version", markup=False)
    elif not found["changes"]:
        out.print("the same packets pass", markup=False)
    else:
        for change in found["changes"]:
            out.print(f"{change['words']}\n  for example {change['example']}", markup=False)
    if found["changes"]:
        raise typer.Exit(FINDINGS)


def _tell_report(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        for finding in found["report"].get("findings", ()):
            out.print(f"{finding['kind']} {finding['direction']}: {finding['message']}", markup=False)
        out.print(f"{found['subject']}: {_verdict(found)} ({found['id']})", markup=False)
    if not found["holds"]:
        raise typer.Exit(FINDINGS)


def _verdict(found: dict[str, Any]) -> str:
    return "as needed" if found["holds"] else "not as needed"
