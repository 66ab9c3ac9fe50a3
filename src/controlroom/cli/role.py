"""Manage roles and where they are given, directly in the database.

Works on the server's own machine, with the server's settings; the server may run meanwhile and notices within seconds.
"""

from typing import Annotated

import typer

from controlroom.cli.local.console import known_right, on_console, place_kind
from controlroom.cli.output import out, print_facts, print_json, print_table
from controlroom.foundation.errors import Invalid, NotFound
from controlroom.foundation.paging import LARGEST_LIMIT, PageRequest
from controlroom.identity.assignments import AssignmentView
from controlroom.identity.console import Console
from controlroom.identity.holders import HoldersAt
from controlroom.identity.rights_schemas import AssignmentOut, HoldersOut, RoleOut
from controlroom.identity.roles import RoleEdit, RoleView

app = typer.Typer(help=__doc__, no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
RoleArgument = Annotated[str, typer.Argument(metavar="ROLE", help="The role's name.")]
RightsOption = Annotated[
    list[str],
    typer.Option("--right", help="A right that the role gives, such as 'run.read'; may be repeated."),
]
UserArgument = Annotated[str, typer.Argument(metavar="USER", help="The name that the user signs in with.")]
PlaceArgument = Annotated[
    str, typer.Argument(metavar="PLACE", help="A bot; a folder with --folder; a device pool with --pool.")
]
FolderOption = Annotated[bool, typer.Option("--folder", help="The place is a folder.")]
PoolOption = Annotated[bool, typer.Option("--pool", help="The place is a device pool.")]


@app.command("list")
def list_roles(json: JsonOption = False) -> None:
    """List the roles and how many rights each gives."""

    async def read(console: Console) -> list[RoleView]:
        return await console.identity.roles.all()

    roles = on_console(read)
    if json:
        print_json([RoleOut.of(role).model_dump(mode="json") for role in roles])
        return
    rows = [
        (
            role.name,
            "shipped" if role.is_shipped else "own",
            str(len(role.permissions)),
            "yes" if role.requires_second_factor else "no",
            role.description,
        )
        for role in roles
    ]
    print_table(("Name", "Kind", "Rights", "Second factor", "Description"), rows)


@app.command()
def show(role: RoleArgument, json: JsonOption = False) -> None:
    """Show a role and what each of its rights means."""

    async def read(console: Console) -> RoleView:
        return await console.identity.roles.get(role)

    _print(on_console(read), json)


@app.command()
def add(
    role: RoleArgument,
    right: RightsOption,
    description: Annotated[str, typer.Option(help="What the role is for.")] = "",
    second_factor: Annotated[
        bool, typer.Option("--second-factor", help="Ask a second factor of those who have it.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Make a role of your own."""
    rights = [known_right(name) for name in right]

    async def create(console: Console) -> RoleView:
        return await console.identity.roles.create(
            console.caller,
            name=role,
            permissions=rights,
            description=description,
            requires_second_factor=second_factor,
        )

    _print(on_console(create), json)


@app.command()
def edit(
    role: RoleArgument,
    right: Annotated[
        list[str] | None,
        typer.Option("--right", help="A right that the role gives from now on, in place of all it gave."),
    ] = None,
    description: Annotated[str | None, typer.Option(help="What the role is for.")] = None,
    second_factor: Annotated[
        bool | None,
        typer.Option("--second-factor/--no-second-factor", help="Whether to ask a second factor of holders."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Change a role for everyone who has it; of a shipped one only whether it asks for a second factor."""
    change = RoleEdit(description, [known_right(name) for name in right] if right else None, second_factor)

    async def act(console: Console) -> RoleView:
        return await console.identity.roles.edit(
            console.caller, role, change, check_revision=lambda _revision: None
        )

    _print(on_console(act), json)


@app.command()
def remove(role: RoleArgument) -> None:
    """Remove a role of your own that nobody has."""

    async def act(console: Console) -> None:
        await console.identity.roles.delete(console.caller, role)

    on_console(act)
    out.print(f"The role {role} is gone.", markup=False)


@app.command()
def give(
    role: RoleArgument,
    user: UserArgument,
    place: PlaceArgument,
    folder: FolderOption = False,
    pool: PoolOption = False,
    json: JsonOption = False,
) -> None:
    """Give a user a role at a folder, a bot or a device pool, and at all that lies below it."""

    async def act(console: Console) -> AssignmentView:
        kind = place_kind(place, folder=folder, pool=pool)
        return await console.identity.assignments.give(
            console.caller, user=user, role=role, kind=kind, place=place
        )

    _print_assignments([on_console(act)], json)


@app.command()
def take(
    role: RoleArgument,
    user: UserArgument,
    place: PlaceArgument,
    folder: FolderOption = False,
    pool: PoolOption = False,
) -> None:
    """Take a role at a folder, a bot or a device pool from a user."""

    async def act(console: Console) -> None:
        kind = place_kind(place, folder=folder, pool=pool)
        given = await _assignments(console, f'user:"{user}" role:"{role}" kind:{kind.value}')
        mine = [
            each for each in given if place in (each.assignment.place, each.place_name, each.place_name[1:])
        ]
        if not mine:
            raise NotFound(f"{user} does not have the role {role} at {place}; see 'controlroom role given'.")
        if len(mine) > 1:
            raise Invalid(f"'{place}' is not one place; name it as 'controlroom role given' does.")
        await console.identity.assignments.take(console.caller, mine[0].assignment.id)

    on_console(act)
    out.print(f"{user} no longer has the role {role} at {place}.", markup=False)


@app.command()
def given(
    filter_: Annotated[
        str, typer.Option("--filter", help="Such as 'user:alice role:operator kind:folder'.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """List the roles given at folders, bots and device pools."""

    async def read(console: Console) -> list[AssignmentView]:
        return await _assignments(console, filter_)

    _print_assignments(on_console(read), json)


@app.command()
def holders(
    place: Annotated[
        str, typer.Argument(help="A bot, or with --folder or --pool one of those; left out, everywhere.")
    ] = "",
    folder: FolderOption = False,
    pool: PoolOption = False,
    json: JsonOption = False,
) -> None:
    """Say who has which role at a place, given there or above it."""

    async def read(console: Console) -> HoldersAt:
        kind = place_kind(place, folder=folder, pool=pool)
        return await console.identity.holders.at(console.caller, kind, place)

    found = on_console(read)
    shown = [*found.here, *(found.inherited or ())]
    if json:
        print_json(HoldersOut.of(found).model_dump(mode="json"))
        return
    rows = [
        (each.user_name, each.role, each.place_name or "everywhere", ", ".join(sorted(each.rights)))
        for each in shown
    ]
    print_table(("User", "Role", "Given at", "May here"), rows)


async def _assignments(console: Console, filter_: str) -> list[AssignmentView]:
    found: list[AssignmentView] = []
    cursor: str | None = ""
    while cursor is not None:
        request = PageRequest(filter=filter_, cursor=cursor, limit=LARGEST_LIMIT)
        page = await console.identity.assignments.page(console.caller, request)
        found += page.items
        cursor = page.next_cursor
    return found


def _print(role: RoleView, json: bool) -> None:
    if json:
        print_json(RoleOut.of(role).model_dump(mode="json"))
        return
    print_facts(
        {
            "name": role.name,
            "description": role.description,
            "second factor": "asked for" if role.requires_second_factor else "not asked for",
        }
    )
    print_table(("Right", "Meaning"), [(right.value, right.meaning) for right in sorted(role.permissions)])


def _print_assignments(found: list[AssignmentView], json: bool) -> None:
    if json:
        print_json([AssignmentOut.of(each).model_dump(mode="json") for each in found])
        return
    rows = [
        (
            each.user_name,
            each.assignment.role,
            each.assignment.kind,
            each.place_name,
            each.assignment.created_by,
        )
        for each in found
    ]
    print_table(("User", "Role", "At a", "Place", "Given by"), rows)
