"""The list of bots."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.lists import ListQuery, listing
from controlroom.web.rendering import page
from controlroom.web.services import bots_of

router = APIRouter(include_in_schema=False)

PATH = "/bots"


@router.get(PATH)
async def bots(
    request: Request, caller: Annotated[Caller, page_caller(Permission.BOT_READ)], wanted: ListQuery
) -> Response:
    """Show a page of bots."""
    service = bots_of(request)
    found = await listing(PATH, wanted, lambda asked: service.list_bots(caller, asked))
    return page(request, caller, "pages/bots/bots.html", {"listing": found}, status=found.status)
