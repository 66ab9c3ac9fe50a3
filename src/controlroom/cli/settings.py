"""Show what the server is told from outside and where each value came from, and change what may change at run time."""

from typing import Annotated, Any

import typer

from controlroom.cli.client import UrlOption, connect
from controlroom.cli.output import out, print_json, print_table
from controlroom.foundation.setting_sources import ReadSetting, read_settings
from controlroom.foundation.settings import load_settings

app = typer.Typer(help=__doc__, no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
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
    url: UrlOption = None,
) -> None:
    """Change a setting of a server that runs, on every node."""
    _change(url, name, value)


@app.command()
def reset(name: NameArgument, url: UrlOption = None) -> None:
    """Put a setting of a server that runs back to what it read at its start."""
    _change(url, name, None)


def _change(url: str | None, name: str, value: int | None) -> None:
    with connect(url) as client:
        before = client.get(f"/settings/{name}")
        headers = {"If-Match": f'"{before["revision"]}"'}
        after = client.request("PATCH", f"/settings/{name}", body={"value": value}, headers=headers)
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
