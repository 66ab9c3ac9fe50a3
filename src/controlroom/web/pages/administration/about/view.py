"""What runs here, and the licences of its parts."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from controlroom.administration.api import about_of
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.navigation import ADMINISTRATION
from controlroom.web.rendering import page

router = APIRouter(include_in_schema=False)

PATH = f"{ADMINISTRATION}/about"


@router.get(PATH)
async def about(
    request: Request, caller: Annotated[Caller, page_caller(Permission.SETTINGS_READ)]
) -> Response:
    """Show version, database and node, and every part with its licence."""
    service = about_of(request)
    context = {"about": await service.about(caller), "parts": await service.parts(caller)}
    return page(request, caller, "pages/administration/about/about.html", context)
