"""The list of devices, and joining a new one."""

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response
from pydantic import ValidationError

from controlroom.devices.models import DeviceMode
from controlroom.devices.schemas import JoinTokenIn
from controlroom.identity.access import identity_of, page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import EVERYWHERE
from controlroom.web.lists import ListQuery
from controlroom.web.live.sharing import shared_live
from controlroom.web.pages.devices.bulk import router as bulk_router
from controlroom.web.rendering import now_of, page
from controlroom.web.services import devices_of, joining_of
from controlroom.web.tables import BulkAction, Column, TableSpec, shown_table

router = APIRouter(include_in_schema=False)
router.include_router(bulk_router)

PATH = "/devices"
JOIN_PATH = "/devices/join"

Manager = Annotated[Caller, page_caller(Permission.DEVICE_MANAGE)]


DEVICES = TableSpec(
    name="devices",
    path=PATH,
    noun="device",
    plural="devices",
    columns=(
        Column("name", "Name", sort="name", heading=True),
        Column("state", "State", style="w-presence"),
        Column("load", "Slots taken", style="w-load w-aside"),
        Column("labels", "Labels", style="cut"),
        Column("system", "System", style="w-less"),
        Column("version", "Runner", style="w-less"),
        Column("python", "Python", shown=False),
        Column("seen", "Last word", style="w-time"),
        Column("joined", "Joined", sort="joined", style="w-time", shown=False, newest_first=True),
        Column("id", "Id", shown=False),
    ),
    default_sort="name",
    example="connected:no mode:active label:excel",
    live="device.,run.",
    export="/api/v1/devices/export",
    bulk=(
        BulkAction(f"{PATH}/bulk/drain", "Drain…", "circle-pause", Permission.DEVICE_MANAGE),
        BulkAction(f"{PATH}/bulk/enable", "Put into use…", "play", Permission.DEVICE_MANAGE),
        BulkAction(f"{PATH}/bulk/disable", "Disable…", "power-off", Permission.DEVICE_MANAGE, "danger-quiet"),
    ),
    muted=lambda device: device.mode is DeviceMode.REVOKED,
)

_TABS = (
    ("All", ""),
    ("Online", "connected:yes"),
    ("Offline", "connected:no mode:active"),
    ("Draining", "mode:draining"),
    ("Disabled", "mode:disabled"),
)


@router.get(PATH)
@shared_live
async def devices(
    request: Request, caller: Annotated[Caller, page_caller(Permission.DEVICE_READ)], wanted: ListQuery
) -> Response:
    """Show a page of devices."""
    service = devices_of(request)
    table = await shown_table(request, caller, DEVICES, wanted, lambda asked: service.list(caller, asked))
    context = {
        "table": table,
        "taken": await service.taken_slots(caller),
        "tabs": _TABS,
        "may_join": caller.may(Permission.DEVICE_MANAGE, EVERYWHERE),
    }
    return page(request, caller, "pages/devices/devices.html", context, status=table.status)


@router.get(JOIN_PATH)
async def join_page(request: Request, caller: Manager) -> Response:
    """Show the form that makes a join token."""
    return page(request, caller, "pages/devices/join.html", _form())


@router.get(f"{JOIN_PATH}/{{token_id}}")
async def arrival(
    request: Request, caller: Manager, token_id: Annotated[str, Path(max_length=64)]
) -> Response:
    """Say whether the machine that a token was made for has come; the join page puts this in as it happens."""
    token = await joining_of(request).token(caller, token_id)
    device = None
    if token.device_id is not None:
        device = (await devices_of(request).names(caller, [token.device_id])).get(token.device_id)
    context = {"token": token, "device": device, "is_over": token.expires_at <= now_of(request)}
    return page(request, caller, "pages/devices/arrival.html", context)


@router.post(JOIN_PATH)
async def create_join_token(
    request: Request,
    caller: Manager,
    note: Annotated[str, Form(max_length=1000)] = "",
    labels: Annotated[str, Form(max_length=4000)] = "",
    valid_minutes: Annotated[str, Form(max_length=20)] = "60",
) -> Response:
    """Make a join token and show, this once, the command that uses it."""
    typed = {"note": note, "labels": labels, "valid_minutes": valid_minutes}
    try:
        wanted = JoinTokenIn.model_validate(
            {"note": note, "labels": labels.replace(",", " ").split(), "valid_minutes": valid_minutes}
        )
    except ValidationError as error:
        errors = {str(item["loc"][0]): _PROBLEMS[str(item["loc"][0])] for item in error.errors()}
        return page(request, caller, "pages/devices/join.html", _form(typed, errors), status=422)
    token, secret = await joining_of(request).create_token(caller, wanted)
    context = {**_form(), "token": token, "secret": secret, "address": _address(request)}
    return page(request, caller, "pages/devices/join.html", context)


_PROBLEMS = {
    "note": "A note has at most 200 characters.",
    "labels": "Labels have letters, digits and . _ : / - and begin with a letter or digit; write blanks between them.",
    "valid_minutes": "A token counts for 1 minute to 7 days (10080 minutes).",
}


def _form(values: dict[str, str] | None = None, errors: dict[str, str] | None = None) -> dict[str, object]:
    blank = {"note": "", "labels": "", "valid_minutes": "60"}
    return {"values": values or blank, "errors": errors or {}, "token": None, "secret": "", "address": ""}


def _address(request: Request) -> str:
    """Return the address under which a runner reaches this server."""
    return identity_of(request).public_url or f"{request.url.scheme}://{request.url.netloc}"
