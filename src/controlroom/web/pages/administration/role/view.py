"""One role: what it lets one do, who has it; made, edited, removed."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request, Response

from controlroom.foundation.errors import Conflict, ControlRoomError, Forbidden, Invalid, PreconditionFailed
from controlroom.foundation.paging import PageRequest
from controlroom.identity.access import identity_of, page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission, Scope, known_permissions
from controlroom.identity.roles import RoleEdit, RoleView
from controlroom.web.navigation import ADMINISTRATION
from controlroom.web.rendering import go_to, page
from controlroom.web.revisions import made_from

PATH = f"{ADMINISTRATION}/roles"

router = APIRouter(include_in_schema=False, prefix=PATH)

RoleName = Annotated[str, Path(max_length=100)]
Reader = Annotated[Caller, page_caller(Permission.USER_READ)]
Manager = Annotated[Caller, page_caller(Permission.ROLE_MANAGE)]
Description = Annotated[str, Form(max_length=2000)]
Chosen = Annotated[list[str] | None, Form()]
Flag = Annotated[bool, Form()]

_SHOWN_HOLDERS = 50
_GROUPS = (
    (Scope.BOTS, "Bots and runs", "Counts everywhere, at a folder or at a bot."),
    (Scope.DEVICES, "Devices and pools", "Counts everywhere or at a device pool."),
    (Scope.PLACES, "Rights", "Counts everywhere, at a folder, a bot or a pool."),
    (Scope.ROOT, "The whole Control Room", "Counts only where the role is given everywhere."),
)


@dataclass(frozen=True, slots=True)
class TypedRole:
    """What was typed of a role."""

    name: str = ""
    description: str = ""
    permissions: frozenset[Permission] = field(default_factory=frozenset)
    requires_second_factor: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Rights that mean something at the same kinds of place."""

    title: str
    words: str
    rights: tuple[Permission, ...]


GROUPS = tuple(
    Group(title, words, tuple(right for right in Permission if right.scope is scope))
    for scope, title, words in _GROUPS
)


@router.get("/new")
async def new(request: Request, caller: Manager) -> Response:
    """Show the form of a new role."""
    return _form(request, caller, TypedRole(), None)


@router.post("")
async def create(
    *,
    request: Request,
    caller: Manager,
    name: Annotated[str, Form(max_length=200)] = "",
    description: Description = "",
    permission: Chosen = None,
    requires_second_factor: Flag = False,
) -> Response:
    """Make a role and go to it."""
    typed = TypedRole(name, description, known_permissions(permission or []), requires_second_factor)
    try:
        made = await identity_of(request).roles.create(
            caller,
            name=name,
            permissions=typed.permissions,
            description=description,
            requires_second_factor=requires_second_factor,
        )
    except (Invalid, Conflict, Forbidden) as error:
        return _form(request, caller, typed, None, error)
    return go_to(request, f"{PATH}/{made.name}")


@router.get("/{name}")
async def role(request: Request, caller: Reader, name: RoleName) -> Response:
    """Show what a role lets one do, and who has it."""
    identity = identity_of(request)
    found = await identity.roles.get(name)
    asked = PageRequest(filter=f'role:"{found.name}"', limit=_SHOWN_HOLDERS)
    context = {
        "role": found,
        "groups": GROUPS,
        "users": (await identity.accounts.page(asked)).items,
        "given": (await identity.assignments.page(caller, asked)).items,
        "most": _SHOWN_HOLDERS,
        "may_manage": caller.may(Permission.ROLE_MANAGE),
    }
    return page(request, caller, "pages/administration/role/role.html", context)


@router.get("/{name}/edit")
async def edit_page(request: Request, caller: Manager, name: RoleName) -> Response:
    """Show the form of a role."""
    found = await identity_of(request).roles.get(name)
    typed = TypedRole(found.name, found.description, found.permissions, found.requires_second_factor)
    return _form(request, caller, typed, found)


@router.post("/{name}/edit")
async def edit(
    *,
    request: Request,
    caller: Manager,
    name: RoleName,
    description: Description = "",
    permission: Chosen = None,
    requires_second_factor: Flag = False,
    revision: Annotated[int, Form(ge=0, le=2**31 - 1)] = 0,
) -> Response:
    """Change a role for everyone who has it, unless someone else did meanwhile."""
    roles = identity_of(request).roles
    found = await roles.get(name)
    typed = TypedRole(name, description, known_permissions(permission or []), requires_second_factor)
    wanted = (
        RoleEdit(requires_second_factor=requires_second_factor)
        if found.is_shipped
        else RoleEdit(description, typed.permissions, requires_second_factor)
    )
    try:
        await roles.edit(caller, name, wanted, check_revision=made_from(revision))
    except (Invalid, Conflict, Forbidden, PreconditionFailed) as error:
        return _form(request, caller, typed, await roles.get(name), error)
    return go_to(request, f"{PATH}/{name}")


@router.post("/{name}/delete")
async def delete(request: Request, caller: Manager, name: RoleName) -> Response:
    """Remove a role that nobody has."""
    await identity_of(request).roles.delete(caller, name)
    return go_to(request, PATH)


def _form(
    request: Request,
    caller: Caller,
    typed: TypedRole,
    found: RoleView | None,
    error: ControlRoomError | None = None,
) -> Response:
    errors = {each.pointer: each.message for each in error.fields} if error else {}
    is_stale = isinstance(error, PreconditionFailed)
    context: dict[str, Any] = {
        "typed": typed,
        "role": found,
        "groups": GROUPS,
        "own": caller.everywhere,
        "errors": errors,
        "problem": error.detail if error and not errors else "",
        "is_stale": is_stale,
        "theirs": sorted(found.permissions - typed.permissions) if found and is_stale else [],
        "mine": sorted(typed.permissions - found.permissions) if found and is_stale else [],
    }
    status = error.status if error else 200
    return page(request, caller, "pages/administration/role/form.html", context, status=status)
