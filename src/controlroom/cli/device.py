"""See devices, drain and disable them and put them back into use, rename, label and revoke them, let new ones join."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from controlroom.cli.client import UrlOption, connect
from controlroom.cli.client.rest import Client
from controlroom.cli.output import EXIT_FAILED, err, out, print_error, print_facts, print_json, print_table
from controlroom.foundation.errors import ControlRoomError, Invalid

app = typer.Typer(help=__doc__, no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
DeviceArgument = Annotated[str, typer.Argument(metavar="DEVICE", help="Id or name of the device.")]
DevicesArgument = Annotated[list[str], typer.Argument(metavar="DEVICE...", help="Ids or names of devices.")]
FilterArgument = Annotated[
    str, typer.Argument(help="Words such as 'connected:no mode:active label:excel' or a part of the name.")
]

_MANY = ("drain", "disable", "enable")


@app.command("list")
def list_devices(
    filter: FilterArgument = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most devices to list.")] = 200,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """List devices, by name."""
    with connect(url) as client:
        devices = list(client.pages("/devices", limit=limit, filter=filter))
    if json:
        print_json(devices)
        return
    columns = ["Name", "Mode", "Online", "Slots", "Labels", "Last word", "Id"]
    rows = [
        [
            each["name"],
            each["mode"],
            "yes" if each["connected_at"] else "no",
            each["slots"],
            " ".join(each["labels"]),
            (each["seen_at"] or "")[:19],
            each["id"],
        ]
        for each in devices
    ]
    print_table(columns, rows)


@app.command()
def show(device: DeviceArgument, url: UrlOption = None, json: JsonOption = False) -> None:
    """Show a device, and when it came and went of late."""
    with connect(url) as client:
        found = client.get(_path(device))
        presence = client.get(f"{_path(device)}/presence")
    if json:
        print_json({**found, "presence": presence})
        return
    _print_device(found)
    print_facts({name.replace("_", " "): value for name, value in found["facts"].items()})
    rows = [
        [each["time"][:19], "came online" if each["is_connected"] else "went away", each["reason"]]
        for each in presence
    ]
    print_table(["Time", "What", "Why"], rows)


@app.command()
def drain(devices: DevicesArgument, url: UrlOption = None) -> None:
    """Let devices finish what they have and take nothing new."""
    _change_each(devices, {"mode": "draining"}, url)


@app.command()
def enable(devices: DevicesArgument, url: UrlOption = None) -> None:
    """Put devices back into use."""
    _change_each(devices, {"mode": "active"}, url)


@app.command()
def disable(devices: DevicesArgument, url: UrlOption = None) -> None:
    """Take devices out of use; what they have goes on."""
    _change_each(devices, {"mode": "disabled"}, url)


@app.command()
def many(
    action: Annotated[str, typer.Argument(help="drain, disable or enable.")],
    filter: FilterArgument,
    yes: YesOption = False,
    url: UrlOption = None,
) -> None:
    """Drain, disable or enable all devices that a filter finds; says first what it will do."""
    if action not in _MANY:
        raise Invalid(f"'{action}' cannot be done to many devices; {', '.join(_MANY)} can.")
    with connect(url) as client:
        plan = client.post(f"/devices/bulk/{action}/summary", {"filter": filter})
        out.print(plan["words"], markup=False)
        if not plan["changes"] or not (yes or typer.confirm("Do it?")):
            return
        results = client.post(f"/devices/bulk/{action}", {"filter": filter})
    refused = [each for each in results if not each["done"]]
    for each in refused:
        err.print(each["message"], markup=False)
    out.print(f"{len(results) - len(refused):,} done, {len(refused):,} refused.")
    if refused:
        raise typer.Exit(EXIT_FAILED)


@app.command()
def rename(
    device: DeviceArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its new name.")],
    url: UrlOption = None,
) -> None:
    """Give a device another name."""
    with connect(url) as client:
        _print_device(_change(client, device, lambda _: {"name": name}))


@app.command()
def slots(
    device: DeviceArgument,
    count: Annotated[int, typer.Argument(min=1, help="How many bots may run on it at once.")],
    url: UrlOption = None,
) -> None:
    """Say how many bots may run on a device at once."""
    with connect(url) as client:
        _print_device(_change(client, device, lambda _: {"slots": count}))


@app.command()
def labels(
    device: DeviceArgument,
    add: Annotated[
        list[str] | None, typer.Option("--add", help="A label to add; may be given again.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", help="A label to take off; may be given again.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="The labels in place of all; may be given again.")
    ] = None,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Print a device's labels, one a line, after adding, taking off or replacing what is asked for."""
    if set_ and (add or remove):
        raise Invalid("--set replaces all labels; give either it, or --add and --remove.")

    def wanted(found: dict[str, Any]) -> dict[str, Any]:
        kept = set_ or [label for label in [*found["labels"], *(add or [])] if label not in (remove or [])]
        return {"labels": list(dict.fromkeys(kept))}

    with connect(url) as client:
        is_change = bool(set_ or add or remove)
        found = _change(client, device, wanted) if is_change else client.get(_path(device))
    if json:
        print_json(found["labels"])
        return
    for label in found["labels"]:
        out.print(label, markup=False)


@app.command()
def revoke(device: DeviceArgument, yes: YesOption = False, url: UrlOption = None) -> None:
    """Make a device's key useless, for ever; what runs on it is lost and its machine must join anew."""
    with connect(url) as client:
        name = client.get(_path(device))["name"]
        if not yes and not typer.confirm(f"Revoke {name}? Its machine must join anew."):
            raise typer.Exit(EXIT_FAILED)
        _print_device(_change(client, device, lambda _: {"mode": "revoked"}))


@app.command()
def export(
    filter: FilterArgument = "",
    to: Annotated[Path, typer.Option("--to", help="The CSV file to write.")] = Path("devices.csv"),
    url: UrlOption = None,
) -> None:
    """Write all devices that a filter finds to a CSV file."""
    with connect(url) as client:
        client.download(f"/devices/export?{urlencode({'filter': filter})}", to)
    out.print(f"Written to {to}.", markup=False)


@app.command("join-token")
def join_token(
    note: Annotated[str, typer.Option(help="What it is for, for whoever reads the audit log.")] = "",
    label: Annotated[
        list[str] | None, typer.Option(help="Label that the device gets; may be given again.")
    ] = None,
    valid_minutes: Annotated[int, typer.Option(min=1, max=10_080, help="How long it counts.")] = 60,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Make a token with which one machine may join; it is shown this once."""
    body = {"note": note, "labels": label or [], "valid_minutes": valid_minutes}
    with connect(url) as client:
        made = client.post("/join-tokens", body)
        address = client.url
    if json:
        print_json(made)
        return
    print_facts({"id": made["id"], "token": made["token"], "counts until": made["expires_at"][:19]})
    err.print(f"On the machine: controlroom runner join {address} --token -", markup=False)


@app.command("join-tokens")
def join_tokens(url: UrlOption = None, json: JsonOption = False) -> None:
    """List the newest join tokens and what became of them."""
    with connect(url) as client:
        found = client.get("/join-tokens")
    if json:
        print_json(found)
        return
    columns = ["Id", "Note", "Made", "By", "Counts until", "Used", "Revoked", "Device"]
    names = ("id", "note", "created_at", "created_by", "expires_at", "used_at", "revoked_at", "device_id")
    rows = [
        [str(each[name] or "")[:19] if name.endswith("_at") else each[name] for name in names]
        for each in found
    ]
    print_table(columns, rows)


@app.command("revoke-join-token")
def revoke_join_token(
    token: Annotated[str, typer.Argument(metavar="TOKEN_ID", help="Id of the join token.")],
    url: UrlOption = None,
) -> None:
    """Make a join token useless."""
    with connect(url) as client:
        out.print(client.post(f"/join-tokens/{quote(token, safe='')}/revoke")["id"], markup=False)


def _path(device: str) -> str:
    return f"/devices/{quote(device, safe='')}"


def _change(
    client: Client, device: str, wanted: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """Change a device as it stands now; someone else's change meanwhile is not overwritten but refused."""
    found = client.get(_path(device))
    headers = {"If-Match": f'"{found["revision"]}"'}
    changed: dict[str, Any] = client.request("PATCH", _path(found["id"]), body=wanted(found), headers=headers)
    return changed


def _change_each(devices: list[str], wanted: dict[str, Any], url: str | None) -> None:
    """Change devices one after the other; those that cannot be are named at the end and the others stand."""
    refused = 0
    with connect(url) as client:
        for device in devices:
            try:
                changed = _change(client, device, lambda _: wanted)
            except ControlRoomError as error:
                if len(devices) == 1:
                    raise
                print_error(error)
                refused += 1
                continue
            out.print(f"{changed['name']}  {changed['mode']}", markup=False)
    if refused:
        raise typer.Exit(EXIT_FAILED)


def _print_device(found: dict[str, Any]) -> None:
    print_facts(
        {
            "name": found["name"],
            "id": found["id"],
            "mode": found["mode"],
            "online": "yes" if found["connected_at"] else "no",
            "slots": found["slots"],
            "labels": " ".join(found["labels"]),
        }
    )
