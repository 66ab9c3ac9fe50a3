"""Where the administration begins: at the first of its pages that the caller may open."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from controlroom.foundation.errors import Forbidden
from controlroom.identity.access import Guard, page_caller
from controlroom.identity.caller import Caller
from controlroom.web.navigation import ADMINISTRATION, sections_of
from controlroom.web.rendering import go_to

router = APIRouter(include_in_schema=False)


@router.get(ADMINISTRATION)
async def start(request: Request, caller: Annotated[Caller, page_caller(Guard.SIGNED_IN)]) -> Response:
    """Go to the first page that is open to the caller."""
    sections = sections_of(caller)
    if not sections:
        raise Forbidden(
            "Your roles open no page of the administration. Your own account is under your name, at the top."
        )
    return go_to(request, sections[0].path)
