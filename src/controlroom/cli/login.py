"""Sign in to a Control Room, so that the commands of this user may speak with it."""

import platform
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from controlroom.cli.addresses import EXAMPLE_ADDRESS
from controlroom.cli.client import Client, load_profile, save_profile
from controlroom.cli.output import out, print_json
from controlroom.foundation.errors import Invalid, Unauthenticated

LONGEST_DAYS = 365
_CSRF_HEADER = "X-CSRF-Token"
_LONGEST_LINE = 4096

app = typer.Typer(help=__doc__, subcommand_metavar="", context_settings={"allow_interspersed_args": True})


@app.callback(invoke_without_command=True)
def login(
    url: Annotated[
        str | None,
        typer.Argument(
            help="Address of the Control Room; that of the last login where none is given.",
            show_default=False,
        ),
    ] = None,
    *,
    name: Annotated[
        str | None, typer.Option(help="Whom to sign in as; asked for where it is not given.")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    key_stdin: Annotated[
        bool, typer.Option("--key-stdin", help="Read an API key from standard input instead of making one.")
    ] = False,
    days: Annotated[
        int, typer.Option(min=1, max=LONGEST_DAYS, help="How long the API key that is made is valid.")
    ] = 90,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Make an API key with a name and a password, and keep it in a file that only this user can read.

    The password itself is not kept. 'controlroom logout' takes the key back.
    """
    known = load_profile() if url is None else None
    address = url or (known.url if known else "")
    if not address:
        raise Invalid(f"Say which Control Room: 'controlroom login {EXAMPLE_ADDRESS}'.")
    if key_stdin:
        key = _line_from_stdin("API key")
    else:
        signing_in = name or typer.prompt("Name", err=True)
        password = (
            _line_from_stdin("password")
            if password_stdin
            else typer.prompt("Password", hide_input=True, err=True)
        )
        key = make_key(address, signing_in, password, days)
    with Client(address, key) as client:
        who = client.get("/session")
        path = save_profile(client.url, key)
    if json:
        print_json({"url": client.url, "name": who["name"], "profile": str(path)})
    else:
        out.print(f"Signed in to {client.url} as {who['name']}; the key is in {path}.", markup=False)


def make_key(url: str, name: str, password: str, days: int) -> str:
    """Sign in, make an API key with all rights of the user that ends after some days, and sign out again."""
    with Client(url) as client:
        session = client.post("/session", {"name": name, "password": password})
        if "csrf_token" not in session:  # a second factor is needed
            code = typer.prompt("Code of your authenticator app, or a recovery code", err=True)
            session = client.post("/session/second-step", {"code": code})
        headers = {_CSRF_HEADER: session["csrf_token"]}
        try:
            wanted = {
                "name": f"controlroom login on {platform.node() or 'this machine'}"[:100],
                "permissions": session["permissions"],
                "expires_at": (datetime.now(UTC) + timedelta(days=days, minutes=-1)).isoformat(),
            }
            made = client.request("POST", "/api-keys", body=wanted, headers=headers)
        finally:
            client.request("DELETE", "/session", headers=headers)
    return str(made["secret"])


def _line_from_stdin(what: str) -> str:
    line = sys.stdin.readline(_LONGEST_LINE).strip("\r\n")
    if not line:
        raise Unauthenticated(f"There is no {what} on standard input.")
    return line
