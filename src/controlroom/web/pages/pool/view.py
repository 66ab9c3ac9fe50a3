"""One device pool: how it is shared and filled, its devices, who owns it and who uses it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response

from controlroom.devices.schemas import PoolIn, PoolOut
from controlroom.foundation.errors import Conflict, ControlRoomError, Invalid
from controlroom.foundation.paging import LARGEST_LIMIT, PageRequest
from controlroom.identity.access import identity_of, page_caller
from controlroom.identity.assignments import AssignmentView
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import EVERYWHERE, PlaceKind, PoolsAt
from controlroom.web.pages.pool.form import ORDERS, SHARES, PoolForm, TypedPool, form_of
from controlroom.web.rendering import go_to, page
from controlroom.web.services import devices_of

router = APIRouter(include_in_schema=False, prefix="/pools")

PoolId = Annotated[str, Path(max_length=120)]
Reader = Annotated[Caller, page_caller(Permission.DEVICE_READ)]
Manager = Annotated[Caller, page_caller(Permission.DEVICE_MANAGE)]
RightsManager = Annotated[Caller, page_caller(Permission.RIGHTS_MANAGE)]

_MOST_SHOWN = 100
"""Devices on a pool's own page; the list of devices shows all of a large one."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Someone with a role at the pool, and what it makes of them there."""

    view: AssignmentView
    is_owner: bool
    is_consumer: bool


@router.get("/new")
async def new(request: Request, caller: Manager) -> Response:
    """Show the form of a new pool."""
    caller.require(Permission.DEVICE_MANAGE, EVERYWHERE)
    return _form_page(request, caller, PoolForm(), None)


@router.post("")
async def create(request: Request, caller: Manager, typed: TypedPool) -> Response:
    """Make a pool and go to it."""
    try:
        made = await devices_of(request).create_pool(caller, await _wanted(request, caller, typed))
    except (Invalid, Conflict) as error:
        return _form_page(request, caller, _with_errors(typed, error), None)
    return go_to(request, f"/pools/{made.id}")


@router.get("/{pool_id}")
async def pool(request: Request, caller: Reader, pool_id: PoolId) -> Response:
    """Show a pool with its devices and who has rights at it."""
    service = devices_of(request)
    found = await service.pool(caller, pool_id)
    at = PoolsAt(frozenset({found.id}))
    may_give = caller.may(Permission.RIGHTS_MANAGE, at)
    sees_holders = may_give or caller.may(Permission.USER_READ)
    known = await service.names(caller, found.device_ids)
    members = [known[device_id] for device_id in found.device_ids if device_id in known]
    context = {
        "pool": found,
        "members": members[:_MOST_SHOWN],
        "more": max(0, len(members) - _MOST_SHOWN),
        "hidden": len(found.device_ids) - len(known),
        "taken": await service.taken_slots(caller),
        "may_manage": caller.may(Permission.DEVICE_MANAGE, at),
        "may_delete": caller.may(Permission.DEVICE_MANAGE, EVERYWHERE),
        "may_give": may_give,
        "holders": await _holders(request, caller, found) if sees_holders else None,
        "roles": await _role_names(request) if may_give else [],
    }
    return page(request, caller, "pages/pool/pool.html", context)


@router.get("/{pool_id}/edit")
async def edit_page(request: Request, caller: Manager, pool_id: PoolId) -> Response:
    """Show the form of a pool."""
    service = devices_of(request)
    found = await service.pool(caller, pool_id)
    caller.require(Permission.DEVICE_MANAGE, PoolsAt(frozenset({found.id})))
    form = form_of(found, await service.names(caller, found.device_ids))
    return _form_page(request, caller, form, found)


@router.post("/{pool_id}/edit")
async def edit(request: Request, caller: Manager, pool_id: PoolId, typed: TypedPool) -> Response:
    """Replace a pool's name, description, rules and devices."""
    service = devices_of(request)
    found = await service.pool(caller, pool_id)
    try:
        wanted = await _wanted(request, caller, typed)
        await service.edit_pool(caller, found.id, wanted, typed.revision)
    except (Invalid, Conflict) as error:
        return _form_page(request, caller, _with_errors(typed, error), found)
    return go_to(request, f"/pools/{found.id}")


@router.post("/{pool_id}/delete")
async def delete(request: Request, caller: Manager, pool_id: PoolId) -> Response:
    """Remove a pool and go to the list."""
    await devices_of(request).delete_pool(caller, pool_id)
    return go_to(request, "/pools")


@router.post("/{pool_id}/rights")
async def give(
    request: Request,
    caller: RightsManager,
    pool_id: PoolId,
    user: Annotated[str, Form(max_length=200)],
    role: Annotated[str, Form(max_length=200)],
) -> Response:
    """Give someone a role at the pool."""
    assignments = identity_of(request).assignments
    await assignments.give(caller, user=user, role=role, kind=PlaceKind.POOL, place=pool_id)
    return go_to(request, f"/pools/{pool_id}")


@router.post("/{pool_id}/rights/{assignment_id}/take")
async def take(
    request: Request,
    caller: RightsManager,
    pool_id: PoolId,
    assignment_id: Annotated[str, Path(max_length=64)],
) -> Response:
    """Take a role at the pool back."""
    await identity_of(request).assignments.take(caller, assignment_id)
    return go_to(request, f"/pools/{pool_id}")


async def _wanted(request: Request, caller: Caller, typed: PoolForm) -> PoolIn:
    return typed.wanted(await devices_of(request).by_name(caller, typed.device_names))


async def _holders(request: Request, caller: Caller, pool: PoolOut) -> Sequence[Holder]:
    """Return who has a role at this pool, owners first."""
    identity = identity_of(request)
    asked = PageRequest(filter=f"kind:pool place:{pool.id}", limit=LARGEST_LIMIT)
    found = await identity.assignments.page(caller, asked)
    rights = {role.name: role.permissions for role in await identity.roles.all()}
    holders = [
        Holder(
            view,
            Permission.DEVICE_MANAGE in rights.get(view.assignment.role, ()),
            Permission.DEVICE_USE in rights.get(view.assignment.role, ()),
        )
        for view in found.items
    ]
    return sorted(holders, key=lambda holder: (not holder.is_owner, holder.view.user_name))


async def _role_names(request: Request) -> list[tuple[str, str]]:
    return [(role.name, role.name.replace("_", " ")) for role in await identity_of(request).roles.all()]


def _form_page(request: Request, caller: Caller, form: PoolForm, pool: PoolOut | None) -> Response:
    context = {"form": form, "pool": pool, "shares": SHARES, "orders": ORDERS}
    return page(request, caller, "pages/pool/pool_form.html", context, status=422 if form.errors else 200)


def _with_errors(typed: PoolForm, error: ControlRoomError) -> PoolForm:
    named = {each.pointer.removeprefix("/"): each.message for each in error.fields}
    if "name" in named and isinstance(error, Conflict):
        named["name"] = error.detail
    return replace(typed, errors=named or {"": error.detail})
