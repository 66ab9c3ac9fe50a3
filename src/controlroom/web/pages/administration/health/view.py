"""How each component is, and what to do where one is not well."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from controlroom.administration.api import components_of
from controlroom.administration.components import ComponentState
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.navigation import ADMINISTRATION
from controlroom.web.rendering import page
from controlroom.web.wording import Face

router = APIRouter(include_in_schema=False)

PATH = f"{ADMINISTRATION}/health"

FACES = {
    ComponentState.OK: Face("Well", "circle-check", "succeeded"),
    ComponentState.WARNING: Face("Look at it", "triangle-alert", "warning"),
    ComponentState.FAILING: Face("Failing", "circle-x", "failed"),
    ComponentState.OFF: Face("Not set up", "circle-slash", "waiting"),
}


@router.get(PATH)
async def health(
    request: Request, caller: Annotated[Caller, page_caller(Permission.SETTINGS_READ)]
) -> Response:
    """Check every component now and show what was found."""
    found = await components_of(request).health(caller)
    return page(request, caller, "pages/administration/health/health.html", {"health": found, "faces": FACES})
