"""Why someone may do something somewhere, and why not."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from controlroom.foundation.errors import Invalid, NotFound
from controlroom.identity.access import identity_of, page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import PlaceKind
from controlroom.web.rendering import page

router = APIRouter(include_in_schema=False)

PATH = "/administration/why"

_KINDS = (
    (PlaceKind.ROOT, "Everywhere"),
    (PlaceKind.FOLDER, "A folder"),
    (PlaceKind.BOT, "A bot"),
    (PlaceKind.POOL, "A device pool"),
)


@router.get(PATH)
async def why(
    *,
    request: Request,
    caller: Annotated[Caller, page_caller(Permission.USER_READ)],
    user: Annotated[str, Query(max_length=100)] = "",
    permission: Annotated[str, Query(max_length=60)] = Permission.RUN_REQUEST.value,
    kind: Annotated[PlaceKind, Query()] = PlaceKind.ROOT,
    place: Annotated[str, Query(max_length=400)] = "",
) -> Response:
    """Ask, and answer what was asked in the address."""
    context: dict[str, Any] = {
        "asked": {"user": user, "permission": permission, "kind": kind, "place": place},
        "rights": list(Permission),
        "kinds": _KINDS,
        "found": None,
        "problem": "",
    }
    if not user:
        return page(request, caller, "pages/why/why.html", context)
    try:
        right = next((each for each in Permission if each.value == permission), None)
        if right is None:
            raise Invalid(f"There is no right '{permission}'.")
        explained = await identity_of(request).explanations.explain(user.strip(), right, kind, place.strip())
    except (NotFound, Invalid) as error:
        context["problem"] = error.detail
        return page(request, caller, "pages/why/why.html", context, status=error.status)
    return page(request, caller, "pages/why/why.html", {**context, "found": explained})
