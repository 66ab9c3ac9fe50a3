"""The list of bots, by folder."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request, Response

from controlroom.bots.rights import place_of
from controlroom.bots.service import BotView
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.lists import ListQuery
from controlroom.web.live.sharing import shared_live
from controlroom.web.rendering import page
from controlroom.web.services import bots_of
from controlroom.web.tables import Column, TableSpec, shown_table

router = APIRouter(include_in_schema=False)

PATH = "/bots"


def _bot_id(view: BotView) -> str:
    return view.bot.id


BOTS = TableSpec(
    name="bots",
    path=PATH,
    noun="bot",
    plural="bots",
    columns=(
        Column("name", "Name", sort="name", heading=True),
        Column("folder", "Folder", sort="folder"),
        Column("version", "Version", style="figure w-version"),
        Column("limit", "Most at once", style="number", shown=False),
        Column("description", "Description", style="cut"),
        Column("updated", "Updated", sort="updated", style="w-time", newest_first=True),
        Column("created", "Made", sort="created", style="w-time", newest_first=True, shown=False),
        Column("actions", "", style="number w-action"),
    ),
    default_sort="name",
    example="folder:/finance invoices",
    live="bot.",
    key=_bot_id,
)


@dataclass(frozen=True, slots=True)
class Folder:
    """One step of the way down to the folder that is shown."""

    name: str
    path: str


def folders_above(text: str) -> list[Folder]:
    """Return the steps down to the folder that a filter names alone, none where it names no folder or more."""
    path = text.removeprefix("folder:") if text.startswith("folder:/") and " " not in text else ""
    parts = [part for part in path.split("/") if part]
    return [Folder(part, "/" + "/".join(parts[: place + 1])) for place, part in enumerate(parts)]


@router.get(PATH)
@shared_live
async def bots(
    request: Request, caller: Annotated[Caller, page_caller(Permission.BOT_READ)], wanted: ListQuery
) -> Response:
    """Show a page of bots."""
    service = bots_of(request)
    table = await shown_table(request, caller, BOTS, wanted, lambda asked: service.list_bots(caller, asked))
    uses_devices = caller.may(Permission.DEVICE_USE)
    runnable = {
        view.bot.id
        for view in table.listing.page.items
        if uses_devices and caller.may(Permission.RUN_REQUEST, place_of(view.bot))
    }
    context = {"table": table, "folders": folders_above(wanted.filter), "runnable": runnable}
    return page(request, caller, "pages/bots/bots.html", context, status=table.status)
