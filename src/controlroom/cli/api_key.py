"""See and revoke API keys, one's own and everyone's; 'controlroom service-account' makes those of programs."""

from typing import Annotated

import typer

from controlroom.cli.client import UrlOption, connect
from controlroom.cli.output import out, print_json, print_table

app = typer.Typer(help=__doc__, no_args_is_help=True)


@app.command("list")
def list_keys(
    anyone: Annotated[
        bool, typer.Option("--anyone", help="Everyone's keys; needs the right 'user.read'.")
    ] = False,
    filter_: Annotated[str, typer.Option("--filter", help="Such as 'user:deploy expires<=2027-01-31'.")] = "",
    url: UrlOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """List API keys, the newest first; their secrets are not kept anywhere."""
    with connect(url) as client:
        owner = "anyone" if anyone else "me"
        found = list(client.pages("/api-keys", owner=owner, filter=filter_))
    if json:
        print_json(found)
        return
    names = ("id", "name", "hint", "user_id", "expires_at", "used_at", "revoked_at")
    columns = ("Id", "Name", "Ends in", "User", "Expires", "Last used", "Revoked")
    print_table(columns, [[key[name] for name in names] for key in found])


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Id of the key.")], url: UrlOption = None
) -> None:
    """End a key at once."""
    with connect(url) as client:
        client.delete(f"/api-keys/{key}")
    out.print(f"{key} counts no more.", markup=False)
