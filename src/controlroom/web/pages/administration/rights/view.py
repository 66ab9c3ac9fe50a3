"""Who has which role where: the tree of places, and at each the roles given there and those inherited."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response

from controlroom.foundation.errors import Conflict, ControlRoomError, Forbidden, Invalid, NotFound
from controlroom.foundation.paging import PageRequest
from controlroom.identity.access import Guard, identity_of, page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.cross_site import safe_next
from controlroom.identity.holders import HoldersAt
from controlroom.identity.permissions import Permission
from controlroom.identity.places import ROOT, Place, PlaceKind, counting_at
from controlroom.identity.roles import RoleView
from controlroom.web.navigation import ADMINISTRATION
from controlroom.web.pages.administration.rights.places import PlaceNode, place_tree
from controlroom.web.rendering import changed, go_to, page
from controlroom.web.services import bots_of, devices_of

router = APIRouter(include_in_schema=False)

PATH = f"{ADMINISTRATION}/rights"
_OFFERED_NAMES = 200

Anyone = Annotated[Caller, page_caller(Guard.SIGNED_IN)]
Giver = Annotated[Caller, page_caller(Permission.RIGHTS_MANAGE)]


@router.get(PATH)
async def rights(
    request: Request,
    caller: Anyone,
    kind: Annotated[PlaceKind | None, Query()] = None,
    place: Annotated[str, Query(max_length=400)] = "",
) -> Response:
    """Show a place with who has roles there; without one, the highest that the caller may look at."""
    if kind is None:
        kind, place = _first_place(caller)
    return await _show(request, caller, kind, place.strip())


@router.post(f"{PATH}/give")
async def give(
    *,
    request: Request,
    caller: Giver,
    kind: Annotated[PlaceKind, Form()],
    place: Annotated[str, Form(max_length=400)] = "",
    user: Annotated[str, Form(max_length=200)] = "",
    role: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Give someone a role at a place."""
    try:
        await identity_of(request).assignments.give(
            caller, user=user.strip(), role=role, kind=kind, place=place
        )
    except (Invalid, Conflict, Forbidden, NotFound) as error:
        return await _show(request, caller, kind, place, error=error, typed={"user": user, "role": role})
    return go_to(request, address_of_place(Place(kind, place)))


@router.post(f"{PATH}/take")
async def take(
    request: Request,
    caller: Giver,
    assignment: Annotated[str, Form(max_length=64)],
    back: Annotated[str, Form(max_length=1000)] = PATH,
) -> Response:
    """Take a role back."""
    await identity_of(request).assignments.take(caller, assignment)
    return changed(request, safe_next(back))


def address_of_place(place: Place) -> str:
    """Return the address that shows a place."""
    return PATH if place == ROOT else f"{PATH}?{urlencode({'kind': place.kind.value, 'place': place.value})}"


def _first_place(caller: Caller) -> Place:
    managed = () if caller.may(Permission.USER_READ) else caller.places_with(Permission.RIGHTS_MANAGE)
    return managed[0] if managed else ROOT


async def _show(
    request: Request,
    caller: Caller,
    kind: PlaceKind,
    place: str,
    *,
    error: ControlRoomError | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    identity = identity_of(request)
    found = await identity.holders.at(caller, kind, place)
    roles = await identity.roles.all()
    reads_users = caller.may(Permission.USER_READ)
    offered = PageRequest(filter="state:enabled", limit=_OFFERED_NAMES)
    context: dict[str, Any] = {
        "at": found,
        "nodes": await _tree(request, caller, found),
        "roles": _roles_meant_at(roles, found.place.kind),
        "names": [user.name for user in (await identity.accounts.page(offered)).items] if reads_users else [],
        "links_users": reads_users,
        "address_of": address_of_place,
        "problem": error.detail if error else "",
        "typed": typed or {"user": "", "role": ""},
    }
    status = error.status if error else 200
    return page(request, caller, "pages/administration/rights/rights.html", context, status=status)


async def _tree(request: Request, caller: Caller, found: HoldersAt) -> list[PlaceNode]:
    holders = identity_of(request).holders
    counts = {found.place: len(found.here), **await holders.counts(caller)}
    for managed in caller.places_with(Permission.RIGHTS_MANAGE) or ():
        counts.setdefault(managed, 0)
    reads_bots, reads_devices = caller.may(Permission.BOT_READ), caller.may(Permission.DEVICE_READ)
    folders = await bots_of(request).folders(caller) if reads_bots else []
    pools = await devices_of(request).pools(caller) if reads_devices else []
    nodes = place_tree(
        counts,
        await holders.names(set(counts)),
        [folder.path for folder in folders],
        {pool.id: pool.name for pool in pools},
    )
    sees_root = caller.may(Permission.USER_READ)
    return [node for node in nodes if sees_root or node.place != ROOT]


def _roles_meant_at(roles: list[RoleView], kind: PlaceKind) -> list[RoleView]:
    return [role for role in roles if counting_at(kind, role.permissions)]
