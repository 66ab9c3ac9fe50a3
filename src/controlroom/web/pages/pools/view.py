"""The list of device pools."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request, Response

from controlroom.devices.loads import PoolLoad
from controlroom.devices.models import DevicePool
from controlroom.foundation.paging import Page, PageRequest
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import EVERYWHERE
from controlroom.web.lists import ListQuery
from controlroom.web.live.sharing import shared_live
from controlroom.web.rendering import page
from controlroom.web.services import devices_of
from controlroom.web.tables import Column, TableSpec, shown_table

router = APIRouter(include_in_schema=False)

PATH = "/pools"


@dataclass(frozen=True, slots=True)
class PoolRow:
    """A pool with how many of its devices take work now, and how full they are."""

    pool: DevicePool
    load: PoolLoad


POOLS = TableSpec(
    name="pools",
    path=PATH,
    noun="pool",
    plural="pools",
    columns=(
        Column("name", "Name", sort="name", heading=True),
        Column("share", "Shared by"),
        Column("order", "Filled"),
        Column("devices", "Devices", style="number"),
        Column("online", "Online", style="number"),
        Column("load", "Slots taken", style="w-load"),
        Column("description", "Description", style="cut"),
        Column("id", "Id", shown=False),
    ),
    default_sort="name",
    example="night share:round_robin",
    live="device.,pool.,run.",
    export="/api/v1/pools/export",
    key=lambda row: str(row.pool.id),
)


@router.get(PATH)
@shared_live
async def pools(
    request: Request, caller: Annotated[Caller, page_caller(Permission.DEVICE_READ)], wanted: ListQuery
) -> Response:
    """Show a page of pools with how each is shared, filled and staffed."""
    service = devices_of(request)

    async def rows(asked: PageRequest) -> Page[PoolRow]:
        found = await service.bare_pools_page(caller, asked)
        loads = await service.pool_loads(caller, [each.id for each in found.items])
        return Page(
            [PoolRow(each, loads.get(each.id, PoolLoad())) for each in found.items], found.next_cursor
        )

    table = await shown_table(request, caller, POOLS, wanted, rows)
    context = {"table": table, "may_create": caller.may(Permission.DEVICE_MANAGE, EVERYWHERE)}
    return page(request, caller, "pages/pools/pools.html", context, status=table.status)
