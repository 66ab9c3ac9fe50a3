"""Manage users directly in the database: for the first administrator, and for when nobody can sign in.

Works on the server's own machine, with the server's settings; the server may run meanwhile and notices within seconds.
"""

import sys
from typing import Annotated

import typer

from controlroom.cli.local.console import known_right, on_console, place_kind
from controlroom.cli.output import out, print_facts, print_json, print_table
from controlroom.foundation.errors import Invalid
from controlroom.foundation.paging import LARGEST_LIMIT, PageRequest
from controlroom.identity.accounts import PasswordGiven
from controlroom.identity.console import Console
from controlroom.identity.explanation import Explanation
from controlroom.identity.models import User
from controlroom.identity.rights_schemas import ExplanationOut

app = typer.Typer(help=__doc__, no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name that the user signs in with.")]
StdinOption = Annotated[
    bool,
    typer.Option(
        "--password-stdin", help="Read the password's one line from standard input instead of making one up."
    ),
]


@app.command("list")
def list_users(
    filter_: Annotated[
        str, typer.Option("--filter", help="Such as 'role:administrator state:enabled'.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """List users, by name."""

    async def read(console: Console) -> list[User]:
        users: list[User] = []
        cursor: str | None = ""
        while cursor is not None:
            request = PageRequest(filter=filter_, cursor=cursor, limit=LARGEST_LIMIT)
            page = await console.identity.accounts.page(request)
            users += page.items
            cursor = page.next_cursor
        return users

    users = on_console(read)
    if json:
        print_json([_facts(user) for user in users])
        return
    columns = ("Name", "Display name", "Roles", "State", "Created")
    rows = [
        (user.name, user.display_name, ", ".join(user.roles), _state(user), f"{user.created_at:%Y-%m-%d}")
        for user in users
    ]
    print_table(columns, rows)


@app.command()
def add(
    name: NameArgument,
    role: Annotated[list[str], typer.Option("--role", help="A role to give; may be repeated.")],
    display_name: Annotated[str, typer.Option(help="The name to show.")] = "",
    password_stdin: StdinOption = False,
    json: JsonOption = False,
) -> None:
    """Create a user; a password is made up and printed once, unless one is given on standard input."""
    password = _read_password() if password_stdin else None

    async def create(console: Console) -> PasswordGiven:
        return await console.identity.accounts.create(
            console.caller, name=name, roles=role, display_name=display_name, password=password
        )

    _print_given(on_console(create), json)


@app.command()
def reset_password(name: NameArgument, password_stdin: StdinOption = False, json: JsonOption = False) -> None:
    """Give a user a new password, made up unless one is given on standard input; their sessions end."""
    password = _read_password() if password_stdin else None

    async def reset(console: Console) -> PasswordGiven:
        user = await console.identity.accounts.by_name(name)
        return await console.identity.accounts.reset_password(console.caller, user.id, password)

    _print_given(on_console(reset), json)


@app.command()
def reset_second_factor(name: NameArgument, json: JsonOption = False) -> None:
    """Remove all second factors and recovery codes of a user who lost them; their sessions end, the password stays."""

    async def reset(console: Console) -> int:
        user = await console.identity.accounts.by_name(name)
        return await console.identity.second_factors.reset(console.caller, user.id)

    removed = on_console(reset)
    if json:
        print_json({"name": name, "removed": removed})
    else:
        out.print(f"{name} has no second factor now; {removed} removed.", markup=False)


@app.command()
def disable(name: NameArgument, json: JsonOption = False) -> None:
    """Keep a user out: their sessions end and their API keys no longer count."""

    async def act(console: Console) -> User:
        user = await console.identity.accounts.by_name(name)
        return await console.identity.accounts.disable(console.caller, user.id)

    _print_user(on_console(act), json)


@app.command()
def enable(name: NameArgument, json: JsonOption = False) -> None:
    """Let a disabled user in again."""

    async def act(console: Console) -> User:
        user = await console.identity.accounts.by_name(name)
        return await console.identity.accounts.enable(console.caller, user.id)

    _print_user(on_console(act), json)


@app.command()
def why(
    name: NameArgument,
    permission: Annotated[
        str, typer.Argument(metavar="RIGHT", help="The right that is asked about, such as 'run.request'.")
    ],
    place: Annotated[
        str,
        typer.Argument(
            metavar="[PLACE]",
            help="A bot, '/folder' with --folder, or a pool with --pool; everywhere where it is left out.",
        ),
    ] = "",
    folder: Annotated[bool, typer.Option("--folder", help="The place is a folder.")] = False,
    pool: Annotated[bool, typer.Option("--pool", help="The place is a device pool.")] = False,
    json: JsonOption = False,
) -> None:
    """Say why a user may do something somewhere, or why not; exit code 1 where they may not."""
    kind = place_kind(place, folder=folder, pool=pool)
    right = known_right(permission)

    async def explain(console: Console) -> Explanation:
        return await console.identity.explanations.explain(name, right, kind, place)

    found = on_console(explain)
    if json:
        print_json(ExplanationOut.of(found).model_dump(mode="json"))
    else:
        out.print(found.sentence, markup=False)
        for each in found.elsewhere:
            out.print(f"Elsewhere: the role {each.role}, given at {each.place_name}.", markup=False)
        if not found.allowed:
            out.print(f"Roles with this right: {', '.join(found.roles_with_it) or 'none'}.", markup=False)
    if not found.allowed:
        raise typer.Exit(1)


def _read_password() -> str:
    if sys.stdin.isatty():
        typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return typed
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise Invalid("There was no password on standard input.")
    return password


def _print_given(given: PasswordGiven, json: bool) -> None:
    facts = _facts(given.user)
    if given.generated is not None:
        facts["generated_password"] = given.generated
    if json:
        print_json(facts)
        return
    print_facts({"name": given.user.name, "roles": ", ".join(given.user.roles)})
    if given.generated is not None:
        print_facts({"password": given.generated})
        out.print("The password is not shown again.")


def _print_user(user: User, json: bool) -> None:
    if json:
        print_json(_facts(user))
    else:
        print_facts({"name": user.name, "state": _state(user)})


def _facts(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "name": user.name,
        "kind": user.kind,
        "display_name": user.display_name,
        "roles": list(user.roles),
        "state": _state(user),
        "created_at": user.created_at,
    }


def _state(user: User) -> str:
    return "enabled" if user.disabled_at is None else "disabled"
