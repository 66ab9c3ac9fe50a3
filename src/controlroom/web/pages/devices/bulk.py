"""Many devices drained, disabled or put back into use at once: said before it is done, and what became of it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from pydantic import ValidationError

from controlroom.devices.bulk import DeviceAction, do_to_many, summarise
from controlroom.devices.schemas import DeviceBulkIn
from controlroom.foundation.errors import Invalid
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.pages.bulk.plan import Plan, ask, tell
from controlroom.web.services import devices_of

router = APIRouter(include_in_schema=False)

PATH = "/devices"

_TITLES = {
    DeviceAction.DRAIN: "Drain devices",
    DeviceAction.DISABLE: "Disable devices",
    DeviceAction.ENABLE: "Put devices into use",
}
_LABELS = {
    DeviceAction.DRAIN: "Drain {}",
    DeviceAction.DISABLE: "Disable {}",
    DeviceAction.ENABLE: "Put {} into use",
}
_DONE = {
    DeviceAction.DRAIN: "draining",
    DeviceAction.DISABLE: "disabled",
    DeviceAction.ENABLE: "put into use",
}

Manager = Annotated[Caller, page_caller(Permission.DEVICE_MANAGE)]


def chosen_devices(
    id: Annotated[list[str] | None, Form(max_length=500)] = None,  # the field's name
    filter: Annotated[str, Form(max_length=1000)] = "",  # the field's name
    everything: Annotated[str, Form(max_length=10)] = "",
) -> DeviceBulkIn:
    """Read the table's form: devices by id, or all that its filter finds; raise `Invalid` where none is selected."""
    try:
        return DeviceBulkIn(filter=filter) if everything else DeviceBulkIn(ids=id or [])
    except ValidationError:
        raise Invalid("Select 1 to 500 devices first.") from None


Chosen = Annotated[DeviceBulkIn, Depends(chosen_devices)]


@router.post(f"{PATH}/bulk/{{action}}")
async def ask_many(request: Request, caller: Manager, action: DeviceAction, chosen: Chosen) -> Response:
    """Say what the action will do to the selected devices."""
    told = await summarise(devices_of(request), caller, action, chosen)
    plan = Plan(
        title=_TITLES[action],
        words=told.words,
        label=_LABELS[action].format(_devices(told.changes)),
        changes=told.changes,
        action=f"{PATH}/bulk/{action.value}/now",
        back=PATH,
        list_title="Devices",
        ids=chosen.ids,
        filter=chosen.filter or "",
        everything=chosen.filter is not None,
        kind="danger" if action is DeviceAction.DISABLE else "primary",
        asks_reason=False,
    )
    return ask(request, caller, plan)


@router.post(f"{PATH}/bulk/{{action}}/now")
async def do_many(request: Request, caller: Manager, action: DeviceAction, chosen: Chosen) -> Response:
    """Do it, and say what became of it."""
    results = await do_to_many(devices_of(request), caller, action, chosen)
    refused = [each.message for each in results if not each.done]
    words = f"{_devices(len(results) - len(refused))} {_DONE[action]}"
    return tell(request, caller, f"{words}, {len(refused):,} not." if refused else f"{words}.", refused, PATH)


def _devices(count: int) -> str:
    return f"{count:,} device{'' if count == 1 else 's'}"
