"""Everyone's API keys, and revoking them."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from controlroom.identity.access import identity_of, page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.lists import ListQuery
from controlroom.web.navigation import ADMINISTRATION
from controlroom.web.rendering import changed, now_of, page
from controlroom.web.tables import Column, TableSpec, shown_table

router = APIRouter(include_in_schema=False)

PATH = f"{ADMINISTRATION}/keys"

KEYS = TableSpec(
    name="api_keys",
    path=PATH,
    noun="key",
    plural="API keys",
    columns=(
        Column("name", "Name", sort="name", heading=True),
        Column("user", "User"),
        Column("hint", "Ends in"),
        Column("state", "State"),
        Column("rights", "Rights", style="cut"),
        Column("used", "Last used", style="w-time"),
        Column("expires", "Expires", sort="expires", style="w-time"),
        Column("created", "Made", sort="created", style="w-time", newest_first=True),
        Column("id", "Id", shown=False),
        Column("actions", "", style="number w-action"),
    ),
    default_sort="-created",
    example="user:deploy expires<=2027-01-31",
    live="api_key.",
)


@router.get(PATH)
async def keys(
    request: Request, caller: Annotated[Caller, page_caller(Permission.USER_READ)], wanted: ListQuery
) -> Response:
    """Show a page of everyone's keys."""
    identity = identity_of(request)
    table = await shown_table(
        request, caller, KEYS, wanted, lambda asked: identity.api_keys.page(caller, asked, everyones=True)
    )
    soon = f"{now_of(request):%Y-%m-%d}"
    context = {
        "table": table,
        "tabs": (("All", ""), ("Not expired", f"expires>={soon}"), ("Expired", f"expires<{soon}")),
        "names": await identity.overviews.names([key.user_id for key in table.rows]),
        "may_manage": caller.may(Permission.USER_MANAGE),
    }
    return page(request, caller, "pages/administration/keys/keys.html", context, status=table.status)


@router.post(f"{PATH}/revoke")
async def revoke(
    request: Request,
    caller: Annotated[Caller, page_caller(Permission.USER_MANAGE)],
    key: Annotated[str, Form(max_length=64)],
) -> Response:
    """End a key."""
    await identity_of(request).api_keys.revoke(caller, key)
    return changed(request, PATH)
