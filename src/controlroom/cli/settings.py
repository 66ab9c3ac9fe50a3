"""Show what the server is told from outside and where each value came from, and change what may change at run time."""

from typing import Annotated, Any

import typer

from controlroom.administration.consequences import NotConfirmed
from controlroom.cli.client import UrlOption, connect
from controlroom.cli.output import EXIT_FAILED, out, print_json, print_table
from controlroom.foundation.errors import Conflict
from controlroom.foundation.setting_sources import ReadSetting, read_settings
from controlroom.foundation.settings import load_settings

app = typer.Typer(help=__doc__, no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Do it without asking, whatever it removes for good.")
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Such as session_idle_minutes.")]


@app.command()
def show(json: JsonOption = False) -> None:
    """List what a server started here and now would read: value, source and meaning. Secrets are not shown."""
    rows = [_row(each) for each in read_settings(load_settings())]
    if json:
        print_json(rows)
    else:
        print_table(["Setting", "Value", "From", "Meaning"], [list(row.values()) for row in rows])


@app.command()
def check() -> None:
    """Read the settings and say what cannot stand; exit code 2 if anything cannot."""
    load_settings()
    print_table(["Result"], [["The settings can stand."]])


@app.command("list")
def list_settings(url: UrlOption = None, json: JsonOption = False) -> None:
    """List the settings of a server that runs, and which of them may change at run time."""
    with connect(url) as client:
        found = client.get("/settings")
    if json:
        print_json(found)
        return
    rows = [(each["name"], each["value"], _source(each), _bounds(each), each["meaning"]) for each in found]
    print_table(("Setting", "Value", "From", "May change to", "Meaning"), rows)


@app.command("set")
def set_value(
    name: NameArgument,
    value: Annotated[int, typer.Argument(help="The new value, within the setting's bounds.")],
    yes: YesOption = False,
    url: UrlOption = None,
) -> None:
    """Change a setting of a server that runs, on every node; ask first where that removes something for good."""
    _change(url, name, value, yes=yes)


@app.command()
def reset(name: NameArgument, yes: YesOption = False, url: UrlOption = None) -> None:
    """Put a setting of a server that runs back to what it read at its start; ask first where that removes something."""
    _change(url, name, None, yes=yes)


def _change(url: str | None, name: str, value: int | None, *, yes: bool) -> None:
    with connect(url) as client:
        before = client.get(f"/settings/{name}")
        headers = {"If-Match": f'"{before["revision"]}"'}

        def change(*, confirmed: bool) -> Any:
            body = {"value": value, "confirmed": confirmed}
            return client.request("PATCH", f"/settings/{name}", body=body, headers=headers)

        try:
            after = change(confirmed=yes)
        except Conflict as error:
            if error.code != NotConfirmed.code:
                raise
            if not typer.confirm(f"{error.detail}\nGo on?", err=True):
                raise typer.Exit(EXIT_FAILED) from None
            after = change(confirmed=True)
    out.print(f"{name}: {before['value']} is now {after['value']}. {after['effect']}", markup=False)


def _row(each: ReadSetting) -> dict[str, str]:
    return {
        "name": each.name,
        "value": each.value,
        "source": each.origin or each.source.value,
        "meaning": each.meaning,
    }


def _source(each: dict[str, Any]) -> str:
    if each["source"] == "run time":
        return f"changed by {each['changed_by']}"
    return str(each["origin"] or each["source"])


def _bounds(each: dict[str, Any]) -> str:
    return f"{each['least']} to {each['most']} {each['unit']}" if each["may_change"] else ""
