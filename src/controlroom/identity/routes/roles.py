"""Rights, roles, where roles are given, and why someone may or may not."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from controlroom.foundation.http import PROBLEMS, PageOut, PageQuery, require_match, set_etag
from controlroom.identity.access import Guard, identity_of, permitted
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import PlaceKind
from controlroom.identity.rights_schemas import (
    AssignmentIn,
    AssignmentOut,
    ExplanationOut,
    HoldersOut,
    NewRoleIn,
    PermissionOut,
    RoleEditIn,
    RoleOut,
)
from controlroom.identity.roles import RoleEdit, RoleView

router = APIRouter(tags=["rights"], responses=PROBLEMS)

Anyone = Annotated[Caller, permitted(Guard.SIGNED_IN)]
UserReader = Annotated[Caller, permitted(Permission.USER_READ)]
RoleManager = Annotated[Caller, permitted(Permission.ROLE_MANAGE)]
RightsManager = Annotated[Caller, permitted(Permission.RIGHTS_MANAGE)]
RoleName = Annotated[str, Path(max_length=100)]
PlaceAsked = Annotated[
    str,
    Query(max_length=400, description="A folder's path, a bot's or pool's id or name; empty for the root."),
]

_EDIT_PROBLEMS: dict[int | str, dict[str, object]] = {
    412: {"description": "Someone changed this meanwhile"},
    428: {"description": "If-Match is missing"},
}


@router.get("/permissions")
async def list_permissions(_caller: Anyone) -> list[PermissionOut]:
    """List every right, what it means and where a role can give it."""
    return [PermissionOut(name=right, meaning=right.meaning, scope=right.scope) for right in Permission]


@router.get("/roles")
async def list_roles(request: Request, _caller: Anyone) -> PageOut[RoleOut]:
    """List the roles and the rights that each gives; there are never so many that they need a second page."""
    roles = await identity_of(request).roles.all()
    return PageOut(items=[RoleOut.of(role) for role in roles], next_cursor=None)


@router.post("/roles", status_code=201)
async def create_role(request: Request, response: Response, caller: RoleManager, body: NewRoleIn) -> RoleOut:
    """Make a role of one's own, with rights that one has oneself."""
    made = await identity_of(request).roles.create(
        caller,
        name=body.name,
        permissions=body.permissions,
        description=body.description,
        requires_second_factor=body.requires_second_factor,
    )
    response.headers["Location"] = f"/api/v1/roles/{made.name}"
    return _shown(response, made)


@router.get("/roles/{name}")
async def get_role(request: Request, response: Response, _caller: Anyone, name: RoleName) -> RoleOut:
    """Return a role; the ETag is what an edit names."""
    return _shown(response, await identity_of(request).roles.get(name))


@router.patch("/roles/{name}", responses=_EDIT_PROBLEMS)
async def edit_role(
    request: Request, response: Response, caller: RoleManager, name: RoleName, body: RoleEditIn
) -> RoleOut:
    """Change a role for everyone who has it, from the revision that If-Match names.

    Of a shipped role only `requires_second_factor` can be changed.
    """
    edit = RoleEdit(body.description, body.permissions, body.requires_second_factor)
    roles = identity_of(request).roles
    return _shown(
        response, await roles.edit(caller, name, edit, check_revision=partial(require_match, request))
    )


@router.delete("/roles/{name}", status_code=204)
async def delete_role(request: Request, caller: RoleManager, name: RoleName) -> None:
    """Remove a role of one's own that nobody has."""
    await identity_of(request).roles.delete(caller, name)


@router.get("/role-assignments")
async def list_assignments(request: Request, caller: Anyone, page: PageQuery) -> PageOut[AssignmentOut]:
    """List roles given at folders, bots and pools. Filter by user, role, kind, place, created, or free text.

    Needs the right 'user.read', or 'rights.manage' for the places that it is held at.
    """
    found = await identity_of(request).assignments.page(caller, page)
    return PageOut(items=[AssignmentOut.of(each) for each in found.items], next_cursor=found.next_cursor)


@router.post("/role-assignments", status_code=201)
async def give_role(request: Request, caller: RightsManager, body: AssignmentIn) -> AssignmentOut:
    """Give a user a role at a folder, a bot or a device pool, and at all that lies below it."""
    made = await identity_of(request).assignments.give(
        caller, user=body.user, role=body.role, kind=body.kind, place=body.place
    )
    return AssignmentOut.of(made)


@router.delete("/role-assignments/{assignment_id}", status_code=204)
async def take_role(
    request: Request, caller: RightsManager, assignment_id: Annotated[str, Path(max_length=64)]
) -> None:
    """Take a role back."""
    await identity_of(request).assignments.take(caller, assignment_id)


@router.get("/role-holders")
async def list_holders(
    request: Request,
    caller: Anyone,
    kind: Annotated[PlaceKind, Query(description="The kind of place.")] = PlaceKind.ROOT,
    place: PlaceAsked = "",
) -> HoldersOut:
    """Say who has a role at a place, given there or above it.

    Needs the right 'user.read', or 'rights.manage' at the place.
    """
    return HoldersOut.of(await identity_of(request).holders.at(caller, kind, place))


@router.get("/users/{user_id}/why")
async def explain_right(
    request: Request,
    _caller: UserReader,
    user_id: Annotated[str, Path(max_length=100, description="The user's id or name.")],
    permission: Annotated[Permission, Query(description="The right that is asked about.")],
    kind: Annotated[PlaceKind, Query(description="The kind of place that is asked about.")] = PlaceKind.ROOT,
    place: PlaceAsked = "",
) -> ExplanationOut:
    """Say why a user may do something at a place, or why not."""
    return ExplanationOut.of(
        await identity_of(request).explanations.explain(user_id, permission, kind, place)
    )


def _shown(response: Response, role: RoleView) -> RoleOut:
    set_etag(response, role.revision)
    return RoleOut.of(role)
