"""One device: whether it is there, what it does, and what is wanted of it."""

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response
from pydantic import ValidationError

from controlroom.devices.models import DeviceMode
from controlroom.devices.schemas import MOST_SLOTS, DeviceEditIn
from controlroom.foundation.errors import Invalid
from controlroom.foundation.paging import PageRequest
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import PoolsAt
from controlroom.protocol import PROTOCOL_VERSION
from controlroom.web.live.sharing import shared_live
from controlroom.web.rendering import changed, page
from controlroom.web.services import devices_of, runs_of

router = APIRouter(include_in_schema=False, prefix="/devices/{device_id}")

_LATEST_RUNS = 20

DeviceId = Annotated[str, Path(max_length=200)]


@router.get("")
@shared_live
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
    pool_ids = frozenset(pool.id for pool in pools)
    context = {
        "device": found,
        "taken": taken,
        "pools": pools,
        "runs": runs,
        "presence": await service.presence(caller, found.id),
        "may_manage": caller.may(Permission.DEVICE_MANAGE, PoolsAt(pool_ids)),
        "protocol_version": PROTOCOL_VERSION,
        "may_audit": caller.may(Permission.AUDIT_READ),
    }
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


@router.post("/edit")
async def edit(
    *,
    request: Request,
    caller: Annotated[Caller, page_caller(Permission.DEVICE_MANAGE)],
    device_id: DeviceId,
    name: Annotated[str, Form(max_length=200)],
    slots: Annotated[str, Form(max_length=20)],
    labels: Annotated[str, Form(max_length=4000)] = "",
    revision: Annotated[int, Form(ge=0)],
) -> Response:
    """Rename the device, and change its slots and labels."""
    try:
        wanted = DeviceEditIn.model_validate(
            {"name": name.strip(), "slots": slots, "labels": labels.replace(",", " ").split()}
        )
    except ValidationError as error:
        place = str(error.errors()[0]["loc"][0])
        raise Invalid(_PROBLEMS.get(place, "This does not fit.")) from None
    await devices_of(request).edit(caller, device_id, wanted, revision)
    return changed(request, f"/devices/{device_id}")


_PROBLEMS = {
    "name": "A name has letters, digits, blanks and . _ -, begins with a letter or digit, and is at most 100 long.",
    "slots": f"A device has 1 to {MOST_SLOTS} slots.",
    "labels": "Labels have letters, digits and . _ : = / - and begin with a letter or digit; write blanks between them.",
}
