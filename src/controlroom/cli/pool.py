"""See device pools, make, edit and delete them, and put devices in and take them out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from controlroom.cli.client import UrlOption, connect
from controlroom.cli.client.rest import Client
from controlroom.cli.output import EXIT_FAILED, out, print_facts, print_json, print_table
from controlroom.devices.models import PoolOrder, PoolShare
from controlroom.foundation.errors import Invalid, NotFound

app = typer.Typer(help=__doc__, no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
PoolArgument = Annotated[str, typer.Argument(metavar="POOL", help="Id or name of the pool.")]
DevicesArgument = Annotated[list[str], typer.Argument(metavar="DEVICE...", help="Ids or names of devices.")]
ShareHelp = "How the runs that wait share it: by priority, or the bots take turns."
OrderHelp = "How its devices are filled: evenly, or in their order."

_EDITED = ("name", "description", "device_ids", "share", "device_order")


@app.command("list")
def list_pools(url: UrlOption = None, json: JsonOption = False) -> None:
    """List pools, by name."""
    with connect(url) as client:
        pools = client.get("/pools")
    if json:
        print_json(pools)
        return
    rows = [
        [
            each["name"],
            each["share"],
            each["device_order"],
            len(each["device_ids"]),
            each["description"],
            each["id"],
        ]
        for each in pools
    ]
    print_table(["Name", "Shared by", "Filled", "Devices", "Description", "Id"], rows)


@app.command()
def show(pool: PoolArgument, url: UrlOption = None, json: JsonOption = False) -> None:
    """Show a pool and its devices, in their order."""
    with connect(url) as client:
        found = client.get(_path(pool))
        if json:
            print_json(found)
            return
        _print_pool(found)
        rows = [_member(client, device_id) for device_id in found["device_ids"]]
    print_table(["Device", "Mode", "Online", "Slots"], rows)


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name.")],
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    share: Annotated[PoolShare, typer.Option(help=ShareHelp)] = PoolShare.PRIORITY,
    order: Annotated[PoolOrder, typer.Option(help=OrderHelp)] = PoolOrder.SPREAD,
    device: Annotated[
        list[str] | None,
        typer.Option(help="Id or name of a device; may be given again, in the order that counts."),
    ] = None,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Make a pool."""
    with connect(url) as client:
        body = {
            "name": name,
            "description": description,
            "share": share,
            "device_order": order,
            "device_ids": _ids(client, device or []),
        }
        made = client.post("/pools", body)
    _print(made, json)


@app.command()
def edit(
    pool: PoolArgument,
    name: Annotated[str | None, typer.Option(help="Its new name.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    share: Annotated[PoolShare | None, typer.Option(help=ShareHelp)] = None,
    order: Annotated[PoolOrder | None, typer.Option(help=OrderHelp)] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(help="Id or name of a device, in place of all that are in it; may be given again."),
    ] = None,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Change what is given of a pool; the rest stays."""
    with connect(url) as client:
        given: dict[str, Any] = {
            "name": name,
            "description": description,
            "share": share,
            "device_order": order,
            "device_ids": _ids(client, device) if device else None,
        }
        changes = {field: value for field, value in given.items() if value is not None}
        if not changes:
            raise Invalid("Nothing to change was given; see 'controlroom pool edit --help'.")
        found = client.get(_path(pool))
        changed = _replace(client, found, changes)
    _print(changed, json)


@app.command()
def add(
    pool: PoolArgument, devices: DevicesArgument, url: UrlOption = None, json: JsonOption = False
) -> None:
    """Put devices at the end of a pool; one that is in it stays where it stands."""
    with connect(url) as client:
        ids = _ids(client, devices)
        found = client.get(_path(pool))
        changed = _replace(client, found, {"device_ids": list(dict.fromkeys([*found["device_ids"], *ids]))})
    _print(changed, json)


@app.command()
def remove(
    pool: PoolArgument, devices: DevicesArgument, url: UrlOption = None, json: JsonOption = False
) -> None:
    """Take devices out of a pool."""
    with connect(url) as client:
        ids = _ids(client, devices)
        found = client.get(_path(pool))
        for device, device_id in zip(devices, ids, strict=True):
            if device_id not in found["device_ids"]:
                raise NotFound(f"The device '{device}' is not in the pool '{found['name']}'.")
        changed = _replace(client, found, {"device_ids": [each for each in found["device_ids"] if each not in ids]})  # fmt: skip
    _print(changed, json)


@app.command()
def delete(
    pool: PoolArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")] = False,
    url: UrlOption = None,
) -> None:
    """Delete a pool; its devices stay, and runs that wait for it wait until they are cancelled."""
    with connect(url) as client:
        found = client.get(_path(pool))
        question = f"Delete the pool {found['name']} with its {len(found['device_ids']):,} places?"
        if not yes and not typer.confirm(question):
            raise typer.Exit(EXIT_FAILED)
        client.delete(_path(found["id"]))
    out.print(f"{found['name']} is deleted.", markup=False)


@app.command()
def export(
    filter: Annotated[str, typer.Argument(help="Words such as 'share:priority' or a part of the name.")] = "",
    to: Annotated[Path, typer.Option("--to", help="The CSV file to write.")] = Path("pools.csv"),
    url: UrlOption = None,
) -> None:
    """Write all pools that a filter finds to a CSV file."""
    with connect(url) as client:
        client.download(f"/pools/export?{urlencode({'filter': filter})}", to)
    out.print(f"Written to {to}.", markup=False)


def _path(pool: str) -> str:
    return f"/pools/{quote(pool, safe='')}"


def _ids(client: Client, devices: Sequence[str]) -> list[str]:
    return [client.get(f"/devices/{quote(device, safe='')}")["id"] for device in devices]


def _member(client: Client, device_id: str) -> list[object]:
    """Return a row of a device; one that the key's owner may not see shows by its id only."""
    try:
        found = client.get(f"/devices/{device_id}")
    except NotFound:
        return [device_id, "", "", ""]
    return [found["name"], found["mode"], "yes" if found["connected_at"] else "no", found["slots"]]


def _replace(client: Client, found: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Write a pool back with changes; someone else's change meanwhile is not overwritten but refused."""
    body = {**{field: found[field] for field in _EDITED}, **changes}
    headers = {"If-Match": f'"{found["revision"]}"'}
    changed: dict[str, Any] = client.request("PUT", _path(found["id"]), body=body, headers=headers)
    return changed


def _print(found: dict[str, Any], json: bool) -> None:
    if json:
        print_json(found)
    else:
        _print_pool(found)


def _print_pool(found: dict[str, Any]) -> None:
    print_facts(
        {
            "name": found["name"],
            "id": found["id"],
            "shared by": found["share"],
            "filled": found["device_order"],
            "devices": len(found["device_ids"]),
            "description": found["description"],
        }
    )
