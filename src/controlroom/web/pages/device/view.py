"""One device: whether it is there, what it does, and what is wanted of it."""

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response

from controlroom.devices.models import DeviceMode
from controlroom.foundation.paging import PageRequest
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.rendering import changed, page
from controlroom.web.services import devices_of, runs_of

router = APIRouter(include_in_schema=False, prefix="/devices/{device_id}")

_LATEST_RUNS = 20

DeviceId = Annotated[str, Path(max_length=200)]


@router.get("")
async def device(
    request: Request, caller: Annotated[Caller, page_caller(Permission.DEVICE_READ)], device_id: DeviceId
) -> Response:
    """Show a device."""
    service = devices_of(request)
    found = await service.get(caller, device_id)
    taken = (await service.taken_slots(caller)).get(found.id, 0)
    pools = [pool for pool in await service.pools(caller) if found.id in pool.device_ids]
    runs = None
    if caller.may(Permission.RUN_READ):
        latest = PageRequest(filter=f"device:{found.id}", limit=_LATEST_RUNS)
        runs = (await runs_of(request).list(caller, latest)).items
    context = {"device": found, "taken": taken, "pools": pools, "runs": runs, "modes": DeviceMode}
    return page(request, caller, "pages/device/device.html", context)


@router.post("/mode")
async def set_mode(
    *,
    request: Request,
    caller: Annotated[Caller, page_caller(Permission.DEVICE_MANAGE)],
    device_id: DeviceId,
    mode: Annotated[DeviceMode, Form()],
    revision: Annotated[int, Form(ge=0)],
) -> Response:
    """Activate, drain, disable or revoke the device."""
    await devices_of(request).set_mode(caller, device_id, mode, revision)
    return changed(request, f"/devices/{device_id}")
