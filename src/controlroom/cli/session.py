"""See who is signed in, and sign people out, directly in the database.

Works on the server's own machine, with the server's settings; the server may run meanwhile and notices within seconds.
"""

from typing import Annotated

import typer

from controlroom.cli.local.console import on_console
from controlroom.cli.output import out, print_json, print_table
from controlroom.foundation.errors import Invalid
from controlroom.foundation.paging import LARGEST_LIMIT, PageRequest
from controlroom.identity.console import Console
from controlroom.identity.sessions import OpenSession

app = typer.Typer(help=__doc__, no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@app.command("list")
def list_sessions(
    filter_: Annotated[str, typer.Option("--filter", help="Such as 'user:alice' or an address.")] = "",
    json: JsonOption = False,
) -> None:
    """List who is signed in, the session used last first."""

    async def read(console: Console) -> list[OpenSession]:
        found: list[OpenSession] = []
        cursor: str | None = ""
        while cursor is not None:
            request = PageRequest(filter=filter_, cursor=cursor, limit=LARGEST_LIMIT)
            page = await console.identity.sessions.page(console.caller, request)
            found += page.items
            cursor = page.next_cursor
        return found

    found = on_console(read)
    if json:
        print_json([_facts(each) for each in found])
        return
    rows = [
        (
            each.user_name,
            each.session.address,
            each.session.agent,
            f"{each.session.created_at:%Y-%m-%d %H:%M}",
            f"{each.session.used_at:%Y-%m-%d %H:%M}",
            each.session.id,
        )
        for each in found
    ]
    print_table(("User", "Address", "Browser", "Signed in (UTC)", "Last used (UTC)", "Id"), rows)


@app.command()
def end(
    session: Annotated[
        str,
        typer.Argument(metavar="[SESSION]", help="A session's id, as 'controlroom session list' shows it."),
    ] = "",
    user: Annotated[str, typer.Option(help="End all sessions of this user instead.")] = "",
    json: JsonOption = False,
) -> None:
    """Sign someone out: of one session, or of all."""
    if bool(session) is bool(user):
        raise Invalid("Name one session, or a user with --user.")

    async def act(console: Console) -> int:
        sessions = console.identity.sessions
        if session:
            await sessions.end_anyones(console.caller, session)
            return 1
        return await sessions.end_all_of(console.caller, (await console.identity.accounts.by_name(user)).id)

    ended = on_console(act)
    if json:
        print_json({"ended": ended})
    else:
        out.print(f"{ended} sessions ended.")


def _facts(found: OpenSession) -> dict[str, object]:
    session = found.session
    return {
        "id": session.id,
        "user": found.user_name,
        "address": session.address,
        "agent": session.agent,
        "created_at": session.created_at,
        "used_at": session.used_at,
        "expires_at": session.expires_at,
    }
