"""Manage service accounts and their keys, directly in the database: users that are programs and have no password.

Works on the server's own machine, with the server's settings; the server may run meanwhile and notices within seconds.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from controlroom.cli.local.console import known_right, on_console
from controlroom.cli.output import out, print_facts, print_json, print_table
from controlroom.foundation.paging import LARGEST_LIMIT, PageRequest
from controlroom.identity.api_keys import NewApiKey
from controlroom.identity.console import Console
from controlroom.identity.models import ApiKey, User, UserKind
from controlroom.identity.rights import standing_of

app = typer.Typer(help=__doc__, no_args_is_help=True)

LONGEST_DAYS = 365
LONGEST_OVERLAP_HOURS = 24 * 30

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The service account's name.")]
KeyArgument = Annotated[
    str, typer.Argument(metavar="KEY", help="The key's id, as 'controlroom service-account keys' shows it.")
]
DaysOption = Annotated[int, typer.Option(min=1, max=LONGEST_DAYS, help="How long the key counts.")]


@app.command()
def add(
    name: NameArgument,
    role: Annotated[list[str], typer.Option("--role", help="A role to give; may be repeated.")],
    display_name: Annotated[str, typer.Option(help="The name to show.")] = "",
    json: JsonOption = False,
) -> None:
    """Create a service account; it has no password, so make a key for it next."""

    async def create(console: Console) -> User:
        made = await console.identity.accounts.create(
            console.caller, name=name, roles=role, display_name=display_name, kind=UserKind.SERVICE
        )
        return made.user

    user = on_console(create)
    facts = {"id": user.id, "name": user.name, "roles": list(user.roles)}
    if json:
        print_json(facts)
    else:
        print_facts({"name": user.name, "roles": ", ".join(user.roles)})


@app.command()
def keys(name: NameArgument, json: JsonOption = False) -> None:
    """List a service account's keys, the newest first."""

    async def read(console: Console) -> list[ApiKey]:
        request = PageRequest(filter=f'user:"{name}"', limit=LARGEST_LIMIT)
        return list((await console.identity.api_keys.page(console.caller, request, everyones=True)).items)

    found = on_console(read)
    if json:
        print_json([_facts(key) for key in found])
        return
    rows = [
        (
            key.id,
            key.name,
            key.hint,
            _state(key),
            f"{key.expires_at:%Y-%m-%d %H:%M}",
            ", ".join(key.permissions),
        )
        for key in found
    ]
    print_table(("Id", "Name", "Ends in", "State", "Until (UTC)", "Rights"), rows)


@app.command()
def add_key(
    name: NameArgument,
    key_name: Annotated[str, typer.Option("--name", help="What will use the key.")] = "service account",
    right: Annotated[
        list[str] | None,
        typer.Option(
            "--right", help="A right of the key; may be repeated. All of the account's where none is named."
        ),
    ] = None,
    days: DaysOption = 90,
    json: JsonOption = False,
) -> None:
    """Make a key for a service account; it is shown this once."""
    named = [known_right(each) for each in right or ()]

    async def create(console: Console) -> NewApiKey:
        user = await console.identity.accounts.by_name(name)
        async with console.database.read() as session:
            held = (await standing_of(session, user)).placed.anywhere
        return await console.identity.api_keys.create(
            console.caller,
            name=key_name,
            permissions=named or held,
            expires_at=_until(days),
            user_id=user.id,
        )

    _print_made(on_console(create), json)


@app.command()
def rotate_key(
    key: KeyArgument,
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=LONGEST_OVERLAP_HOURS, help="How long the old key counts on.")
    ] = 24,
    days: DaysOption = 90,
    json: JsonOption = False,
) -> None:
    """Make a key that takes another's place; both count until the overlap ends."""

    async def rotate(console: Console) -> NewApiKey:
        return await console.identity.api_keys.rotate(
            console.caller, key, expires_at=_until(days), overlap=timedelta(hours=overlap_hours)
        )

    _print_made(on_console(rotate), json)


@app.command()
def revoke_key(key: KeyArgument) -> None:
    """End a key at once."""

    async def revoke(console: Console) -> None:
        await console.identity.api_keys.revoke(console.caller, key)

    on_console(revoke)
    out.print(f"The key {key} counts no more.", markup=False)


def _until(days: int) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def _print_made(made: NewApiKey, json: bool) -> None:
    if json:
        print_json({**_facts(made.key), "secret": made.secret})
        return
    print_facts({"id": made.key.id, "until": f"{made.key.expires_at:%Y-%m-%d %H:%M} UTC", "key": made.secret})
    out.print("The key is not shown again.")


def _facts(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "hint": key.hint,
        "permissions": list(key.permissions),
        "state": _state(key),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "rotated_from_id": key.rotated_from_id,
    }


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at <= datetime.now(UTC) else "counts"
