"""The list of device pools."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request, Response

from controlroom.devices.models import Device, DeviceMode
from controlroom.devices.schemas import PoolOut
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import EVERYWHERE
from controlroom.web.rendering import page
from controlroom.web.services import devices_of

router = APIRouter(include_in_schema=False)

PATH = "/pools"


@dataclass(frozen=True, slots=True)
class PoolRow:
    """A pool with how many of its devices take work now, and how full they are."""

    pool: PoolOut
    online: int
    slots: int
    taken: int


@router.get(PATH)
async def pools(request: Request, caller: Annotated[Caller, page_caller(Permission.DEVICE_READ)]) -> Response:
    """Show every pool with how it is shared, filled and staffed."""
    service = devices_of(request)
    found = await service.pools(caller)
    ids = {device_id for pool in found for device_id in pool.device_ids}
    context = {
        "rows": _rows(found, await service.names(caller, sorted(ids)), await service.taken_slots(caller)),
        "may_create": caller.may(Permission.DEVICE_MANAGE, EVERYWHERE),
    }
    return page(request, caller, "pages/pools/pools.html", context)


def _rows(pools: Sequence[PoolOut], devices: Mapping[str, Device], taken: Mapping[str, int]) -> list[PoolRow]:
    rows = []
    for pool in pools:
        members = [devices[device_id] for device_id in pool.device_ids if device_id in devices]
        online = [each for each in members if each.connected_at and each.mode is DeviceMode.ACTIVE]
        slots, busy = sum(each.slots for each in online), sum(taken.get(each.id, 0) for each in online)
        rows.append(PoolRow(pool, len(online), slots, busy))
    return rows
