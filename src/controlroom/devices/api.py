"""Routes of devices, pools and join tokens."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Path, Query, Request, Response, status
from fastapi.responses import StreamingResponse

from controlroom.devices.bulk import DeviceAction, do_to_many, summarise
from controlroom.devices.joining import JoinService
from controlroom.devices.models import Device
from controlroom.devices.schemas import (
    DeviceBulkIn,
    DeviceBulkResult,
    DeviceBulkSummary,
    DeviceEditIn,
    DeviceOut,
    JoinTokenIn,
    JoinTokenOut,
    NewJoinTokenOut,
    PoolIn,
    PoolOut,
    PresenceOut,
)
from controlroom.devices.service import DeviceService
from controlroom.foundation.exporting import CSV_RESPONSES, CsvColumn, csv_answer
from controlroom.foundation.http import PROBLEMS, PageOut, PageQuery, require_match, set_etag
from controlroom.foundation.paging import PageRequest
from controlroom.identity.access import permitted
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission

router = APIRouter(prefix="/api/v1", tags=["devices"], responses=PROBLEMS)

_EDIT_PROBLEMS: dict[int | str, dict[str, object]] = {
    412: {**PROBLEMS[422], "description": "Someone changed this meanwhile"},
    428: {**PROBLEMS[422], "description": "An edit must say which version it was made from"},
}


def device_service(request: Request) -> DeviceService:
    """Return the service that the server put into ``app.state.devices``."""
    return cast("DeviceService", request.app.state.devices)


def join_service(request: Request) -> JoinService:
    """Return the service that the server put into ``app.state.joining``."""
    return cast("JoinService", request.app.state.joining)


_CSV_COLUMNS: tuple[CsvColumn[Device], ...] = (
    CsvColumn("id", lambda device: device.id),
    CsvColumn("name", lambda device: device.name),
    CsvColumn("mode", lambda device: device.mode),
    CsvColumn("connected", lambda device: device.connected_at is not None),
    CsvColumn("slots", lambda device: device.slots),
    CsvColumn("labels", lambda device: device.labels),
    CsvColumn("system", lambda device: device.facts.get("system", "")),
    CsvColumn("release", lambda device: device.facts.get("release", "")),
    CsvColumn("seen_at", lambda device: device.seen_at),
    CsvColumn("joined_at", lambda device: device.joined_at),
)

_POOL_CSV_COLUMNS: tuple[CsvColumn[PoolOut], ...] = (
    CsvColumn("id", lambda pool: pool.id),
    CsvColumn("name", lambda pool: pool.name),
    CsvColumn("share", lambda pool: pool.share),
    CsvColumn("device_order", lambda pool: pool.device_order),
    CsvColumn("devices", lambda pool: len(pool.device_ids)),
    CsvColumn("device_ids", lambda pool: pool.device_ids),
    CsvColumn("description", lambda pool: pool.description),
)

Devices = Annotated[DeviceService, Depends(device_service)]
Joining = Annotated[JoinService, Depends(join_service)]
Reader = Annotated[Caller, permitted(Permission.DEVICE_READ)]
Manager = Annotated[Caller, permitted(Permission.DEVICE_MANAGE)]
Reference = Annotated[str, Path(max_length=120, description="Id or name.")]


@router.get("/devices")
async def list_devices(devices: Devices, caller: Reader, page: PageQuery) -> PageOut[DeviceOut]:
    """List devices by name."""
    found = await devices.list(caller, page)
    return PageOut(
        items=[DeviceOut.model_validate(device) for device in found.items], next_cursor=found.next_cursor
    )


@router.get("/devices/export", responses=CSV_RESPONSES, response_class=StreamingResponse)
async def export_devices(
    devices: Devices,
    caller: Reader,
    filter: Annotated[str, Query(max_length=1000, description="As in the list of devices.")] = "",
    sort: Annotated[str, Query(max_length=60)] = "",
    for_spreadsheet: Annotated[
        bool, Query(description="Put a byte order mark first, which Excel needs.")
    ] = False,
) -> StreamingResponse:
    """Give every device that fits a filter as CSV, streamed."""
    wanted = PageRequest(filter=filter, sort=sort)
    return await csv_answer(
        "devices",
        _CSV_COLUMNS,
        lambda asked: devices.list(caller, asked),
        wanted,
        for_spreadsheet=for_spreadsheet,
    )


@router.post("/devices/bulk/{action}/summary")
async def summarise_bulk(
    devices: Devices, caller: Manager, action: DeviceAction, wanted: DeviceBulkIn
) -> DeviceBulkSummary:
    """Say what draining, disabling or enabling many devices would do; changes nothing."""
    return await summarise(devices, caller, action, wanted)


@router.post("/devices/bulk/{action}")
async def bulk(
    devices: Devices, caller: Manager, action: DeviceAction, wanted: DeviceBulkIn
) -> list[DeviceBulkResult]:
    """Drain, disable or enable many devices, and say what became of each that it changes."""
    return await do_to_many(devices, caller, action, wanted)


@router.get("/devices/{device}")
async def get_device(devices: Devices, caller: Reader, device: Reference, response: Response) -> DeviceOut:
    """Give one device."""
    found = await devices.get(caller, device)
    set_etag(response, found.revision)
    return DeviceOut.model_validate(found)


@router.get("/devices/{device}/presence")
async def device_presence(devices: Devices, caller: Reader, device: Reference) -> list[PresenceOut]:
    """Say when a device came and went, newest first, the last fifty times."""
    return [PresenceOut.model_validate(change) for change in await devices.presence(caller, device)]


@router.patch("/devices/{device}", responses=_EDIT_PROBLEMS)
async def edit_device(
    devices: Devices,
    caller: Manager,
    device: Reference,
    wanted: DeviceEditIn,
    request: Request,
    response: Response,
) -> DeviceOut:
    """Rename, label, resize, drain, disable or revoke a device."""
    before = await devices.get(caller, device)
    require_match(request, before.revision)
    edited = await devices.edit(caller, before.id, wanted, before.revision)
    set_etag(response, edited.revision)
    return DeviceOut.model_validate(edited)


@router.get("/pools")
async def list_pools(devices: Devices, caller: Reader) -> list[PoolOut]:
    """List every pool with its members."""
    return list(await devices.pools(caller))


@router.get("/pools/export", responses=CSV_RESPONSES, response_class=StreamingResponse)
async def export_pools(
    devices: Devices,
    caller: Reader,
    filter: Annotated[
        str, Query(max_length=1000, description="Words of name, share, order and created, or free text.")
    ] = "",
    sort: Annotated[str, Query(max_length=60)] = "",
    for_spreadsheet: Annotated[
        bool, Query(description="Put a byte order mark first, which Excel needs.")
    ] = False,
) -> StreamingResponse:
    """Give every pool that fits a filter as CSV, streamed."""
    wanted = PageRequest(filter=filter, sort=sort)
    return await csv_answer(
        "pools",
        _POOL_CSV_COLUMNS,
        lambda asked: devices.pools_page(caller, asked),
        wanted,
        for_spreadsheet=for_spreadsheet,
    )


@router.post("/pools", status_code=status.HTTP_201_CREATED)
async def create_pool(devices: Devices, caller: Manager, wanted: PoolIn, response: Response) -> PoolOut:
    """Make a pool."""
    made = await devices.create_pool(caller, wanted)
    set_etag(response, made.revision)
    response.headers["Location"] = f"/api/v1/pools/{made.id}"
    return made


@router.get("/pools/{pool}")
async def get_pool(devices: Devices, caller: Reader, pool: Reference, response: Response) -> PoolOut:
    """Give one pool with its members."""
    found = await devices.pool(caller, pool)
    set_etag(response, found.revision)
    return found


@router.put("/pools/{pool}", responses=_EDIT_PROBLEMS)
async def edit_pool(
    devices: Devices, caller: Manager, pool: Reference, wanted: PoolIn, request: Request, response: Response
) -> PoolOut:
    """Replace a pool's name, description and members."""
    before = await devices.pool(caller, pool)
    require_match(request, before.revision)
    edited = await devices.edit_pool(caller, before.id, wanted, before.revision)
    set_etag(response, edited.revision)
    return edited


@router.delete("/pools/{pool}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_pool(devices: Devices, caller: Manager, pool: Reference) -> None:
    """Remove a pool."""
    await devices.delete_pool(caller, pool)


@router.get("/join-tokens")
async def list_join_tokens(joining: Joining, caller: Manager) -> list[JoinTokenOut]:
    """List the newest join tokens."""
    return [JoinTokenOut.model_validate(token) for token in await joining.tokens(caller)]


@router.post("/join-tokens", status_code=status.HTTP_201_CREATED)
async def create_join_token(
    joining: Joining, caller: Manager, wanted: JoinTokenIn, request: Request
) -> NewJoinTokenOut:
    """Make a one-time token by which a runner joins; it is shown this once."""
    token, text = await joining.create_token(caller, wanted)
    url = request.app.state.settings.public_url or str(request.base_url).rstrip("/")
    shown = JoinTokenOut.model_validate(token).model_dump()
    return NewJoinTokenOut(**shown, token=text, command=f"controlroom runner join {url} --token {text}")


@router.post("/join-tokens/{token_id}/revoke")
async def revoke_join_token(
    joining: Joining, caller: Manager, token_id: Annotated[str, Path(max_length=64)]
) -> JoinTokenOut:
    """Make a join token useless."""
    return JoinTokenOut.model_validate(await joining.revoke_token(caller, token_id))
