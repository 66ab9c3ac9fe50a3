"""The list of users, people and programs, and the form that makes one."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from controlroom.foundation.errors import Conflict, Forbidden, Invalid
from controlroom.identity.access import identity_of, page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.models import User, UserKind
from controlroom.identity.permissions import Permission
from controlroom.web.lists import ListQuery
from controlroom.web.navigation import ADMINISTRATION
from controlroom.web.rendering import page
from controlroom.web.tables import Column, TableSpec, shown_table

router = APIRouter(include_in_schema=False)

PATH = f"{ADMINISTRATION}/users"

Reader = Annotated[Caller, page_caller(Permission.USER_READ)]
Manager = Annotated[Caller, page_caller(Permission.USER_MANAGE)]


def _is_disabled(user: User) -> bool:
    return user.disabled_at is not None


USERS = TableSpec(
    name="users",
    path=PATH,
    noun="user",
    plural="users",
    columns=(
        Column("name", "Name", sort="name", heading=True),
        Column("display_name", "Shown as", sort="display_name"),
        Column("kind", "Kind", style="w-less"),
        Column("roles", "Roles everywhere", style="cut"),
        Column("state", "State"),
        Column("factor", "Second factor", style="w-less"),
        Column("seen", "Last seen", style="w-time"),
        Column("created", "Made", sort="created", style="w-time", newest_first=True),
        Column("updated", "Changed", sort="updated", style="w-time", newest_first=True, shown=False),
        Column("id", "Id", shown=False),
    ),
    default_sort="name",
    example="role:operator state:enabled",
    live="user.",
    muted=_is_disabled,
)

_TABS = (
    ("All", ""),
    ("People", "kind:person"),
    ("Service accounts", "kind:service"),
    ("Disabled", "state:disabled"),
)


@dataclass(frozen=True, slots=True)
class NewUser:
    """What was typed of a new user."""

    name: str = ""
    display_name: str = ""
    kind: UserKind = UserKind.PERSON
    roles: frozenset[str] = field(default_factory=frozenset)


@router.get(PATH)
async def users(request: Request, caller: Reader, wanted: ListQuery) -> Response:
    """Show a page of users."""
    identity = identity_of(request)
    table = await shown_table(request, caller, USERS, wanted, identity.accounts.page)
    context = {
        "table": table,
        "tabs": _TABS,
        "known": await identity.overviews.of([user.id for user in table.rows]),
        "may_manage": caller.may(Permission.USER_MANAGE),
    }
    return page(request, caller, "pages/administration/users/users.html", context, status=table.status)


@router.get(f"{PATH}/new")
async def new(request: Request, caller: Manager, kind: UserKind = UserKind.PERSON) -> Response:
    """Show the form of a new user."""
    return await _form(request, caller, NewUser(kind=kind))


@router.post(PATH)
async def create(
    *,
    request: Request,
    caller: Manager,
    name: Annotated[str, Form(max_length=200)] = "",
    display_name: Annotated[str, Form(max_length=400)] = "",
    password: Annotated[str, Form(max_length=1024)] = "",
    kind: Annotated[UserKind, Form()] = UserKind.PERSON,
    role: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Make a user and show, this once, the password that was made up for them."""
    typed = NewUser(name, display_name, kind, frozenset(role or ()))
    try:
        given = await identity_of(request).accounts.create(
            caller,
            name=name,
            display_name=display_name,
            roles=role or [],
            kind=kind,
            password=password or None,
        )
    except (Invalid, Conflict, Forbidden) as error:
        errors = {each.pointer: each.message for each in error.fields}
        return await _form(
            request, caller, typed, errors=errors, problem="" if errors else error.detail, status=error.status
        )
    context = {"user": given.user, "secret": given.generated}
    return page(request, caller, "pages/administration/users/made.html", context)


async def _form(
    request: Request, caller: Caller, typed: NewUser, *, status: int = 200, **shown: Any
) -> Response:
    context = {
        "typed": typed,
        "roles": await identity_of(request).roles.all(),
        "errors": {},
        "problem": "",
        **shown,
    }
    return page(request, caller, "pages/administration/users/new.html", context, status=status)
