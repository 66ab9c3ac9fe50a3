"""One bot: what it is, its versions, its latest runs; choosing the version that is run, retiring versions."""

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response

from controlroom.bots.lookup import manifest_of
from controlroom.foundation.paging import PageRequest
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.lists import Listing, ListQuery
from controlroom.web.rendering import go_to, page
from controlroom.web.services import bots_of, runs_of

router = APIRouter(include_in_schema=False, prefix="/bots/{bot_id}")

_LATEST_RUNS = 10
_LARGEST_NUMBER = 2**31 - 1

Reader = Annotated[Caller, page_caller(Permission.BOT_READ)]
Manager = Annotated[Caller, page_caller(Permission.BOT_MANAGE)]
BotId = Annotated[str, Path(max_length=200)]
Number = Annotated[int, Form(ge=1, le=_LARGEST_NUMBER)]


@router.get("")
async def bot(request: Request, caller: Reader, bot_id: BotId, wanted: ListQuery) -> Response:
    """Show a bot."""
    service = bots_of(request)
    view = await service.get_bot(caller, bot_id)
    _, versions = await service.list_versions(caller, view.bot.id, wanted)
    runs = None
    if caller.may(Permission.RUN_READ):
        latest = PageRequest(filter=f"bot:{view.bot.id}", limit=_LATEST_RUNS)
        runs = (await runs_of(request).list(caller, latest)).items
    context = {
        "view": view,
        "manifest": manifest_of(view.current) if view.current else None,
        "versions": Listing(f"/bots/{view.bot.id}", wanted, versions),
        "runs": runs,
    }
    return page(request, caller, "pages/bot/bot.html", context)


@router.post("/current")
async def set_current(request: Request, caller: Manager, bot_id: BotId, number: Number) -> Response:
    """Choose the version that is run where none is named."""
    await bots_of(request).set_current(caller, bot_id, number)
    return go_to(request, f"/bots/{bot_id}")


@router.post("/retire")
async def retire(request: Request, caller: Manager, bot_id: BotId, number: Number) -> Response:
    """Keep a version from being run."""
    await bots_of(request).retire(caller, bot_id, number)
    return go_to(request, f"/bots/{bot_id}")


@router.post("/unretire")
async def unretire(request: Request, caller: Manager, bot_id: BotId, number: Number) -> Response:
    """Take a retired version back into use."""
    await bots_of(request).unretire(caller, bot_id, number)
    return go_to(request, f"/bots/{bot_id}")
