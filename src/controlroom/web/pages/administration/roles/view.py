"""The list of roles: the shipped ones and one's own."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from controlroom.identity.access import identity_of, page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.navigation import ADMINISTRATION
from controlroom.web.rendering import page

router = APIRouter(include_in_schema=False)

PATH = f"{ADMINISTRATION}/roles"


@router.get(PATH)
async def roles(request: Request, caller: Annotated[Caller, page_caller(Permission.USER_READ)]) -> Response:
    """Show every role, with what it is for and how many rights it gives."""
    context = {
        "roles": await identity_of(request).roles.all(),
        "most": len(Permission),
        "may_manage": caller.may(Permission.ROLE_MANAGE),
    }
    return page(request, caller, "pages/administration/roles/roles.html", context)
