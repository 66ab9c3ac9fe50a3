"""One action on many devices: which ones, in words what it will do to how many, and what became of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from controlroom.devices.models import Device, DeviceMode
from controlroom.devices.schemas import DeviceBulkIn, DeviceBulkResult, DeviceBulkSummary
from controlroom.devices.service import DeviceService
from controlroom.foundation.errors import ControlRoomError
from controlroom.foundation.paging import LARGEST_LIMIT, PageRequest
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission

MOST_BY_FILTER = 1_000
"""Devices that one bulk action takes; each is a transaction of its own, some milliseconds long."""


class DeviceAction(StrEnum):
    """What can be done to many devices at once."""

    DRAIN = "drain"
    DISABLE = "disable"
    ENABLE = "enable"


_MODES = {
    DeviceAction.DRAIN: DeviceMode.DRAINING,
    DeviceAction.DISABLE: DeviceMode.DISABLED,
    DeviceAction.ENABLE: DeviceMode.ACTIVE,
}
_VERBS = {
    DeviceAction.DRAIN: "Drain",
    DeviceAction.DISABLE: "Disable",
    DeviceAction.ENABLE: "Put into use",
}
_ALREADY = {
    DeviceMode.DRAINING: "draining already",
    DeviceMode.DISABLED: "disabled already",
    DeviceMode.ACTIVE: "in use already",
}


@dataclass(frozen=True, slots=True)
class Selection:
    """The devices that were meant, by what can be done with them.

    ``barred`` counts those that the caller may see and not manage, ``missing`` the ids that name none, ``more`` says
    that the filter finds more than were taken.
    """

    devices: Sequence[Device]
    barred: int = 0
    missing: int = 0
    more: bool = False

    def to_change(self, action: DeviceAction) -> list[Device]:
        """Return those that the action changes."""
        kept = (_MODES[action], DeviceMode.REVOKED)
        return [device for device in self.devices if device.mode not in kept]


async def summarise(
    service: DeviceService, caller: Caller, action: DeviceAction, wanted: DeviceBulkIn
) -> DeviceBulkSummary:
    """Say what an action would do; changes nothing."""
    selection = await _selection(service, caller, wanted)
    return _summary(action, selection, await service.taken_slots(caller))


async def do_to_many(
    service: DeviceService, caller: Caller, action: DeviceAction, wanted: DeviceBulkIn
) -> list[DeviceBulkResult]:
    """Do it to each that it changes, each in a transaction with an audit entry of its own; say what became of each."""
    selection = await _selection(service, caller, wanted)
    return [await _done(service, caller, device, _MODES[action]) for device in selection.to_change(action)]


async def _done(service: DeviceService, caller: Caller, device: Device, mode: DeviceMode) -> DeviceBulkResult:
    try:
        await service.set_mode(caller, device.id, mode, device.revision)
    except ControlRoomError as error:
        return DeviceBulkResult(id=device.id, done=False, message=f"{device.name}: {error.detail}")
    return DeviceBulkResult(id=device.id, done=True)


async def _selection(service: DeviceService, caller: Caller, wanted: DeviceBulkIn) -> Selection:
    caller.require(Permission.DEVICE_MANAGE)
    more, missing = False, 0
    if wanted.filter is None:
        ids = list(dict.fromkeys(wanted.ids))
        known = await service.names(caller, ids)
        found = [known[device_id] for device_id in ids if device_id in known]
        missing = len(ids) - len(found)
    else:
        found, more = await _found(service, caller, wanted.filter)
    managed = await service.managed(caller, [device.id for device in found])
    ours = [device for device in found if device.id in managed]
    return Selection(ours, barred=len(found) - len(ours), missing=missing, more=more)


async def _found(service: DeviceService, caller: Caller, text: str) -> tuple[list[Device], bool]:
    """Return the first devices by name that a filter finds, and whether there are more."""
    found: list[Device] = []
    request = PageRequest(filter=text, limit=LARGEST_LIMIT)
    while True:
        page = await service.list(caller, request)
        found += page.items
        if page.next_cursor is None or len(found) >= MOST_BY_FILTER:
            return found[:MOST_BY_FILTER], page.next_cursor is not None
        request = replace(request, cursor=page.next_cursor)


def _summary(action: DeviceAction, selection: Selection, taken: Mapping[str, int]) -> DeviceBulkSummary:
    changed = selection.to_change(action)
    already = sum(1 for device in selection.devices if device.mode is _MODES[action])
    revoked = sum(1 for device in selection.devices if device.mode is DeviceMode.REVOKED)
    begun = f"{_VERBS[action]} {_counted(len(changed))}" if changed else f"Nothing to {action.value}"
    rest = [
        f"{count:,} {'is' if count == 1 else 'are'} {what} and {'stays' if count == 1 else 'stay'}"
        for count, what in (
            (already, _ALREADY[_MODES[action]]),
            (revoked, "revoked"),
            (selection.barred, "not yours to change"),
        )
        if count
    ]
    words = "; ".join([begun, *rest]) + "." + _about_runs(action, changed, taken)
    if selection.missing:
        words += f" {selection.missing:,} {'is' if selection.missing == 1 else 'are'} not there any more."
    if selection.more:
        words += f" The filter finds more; the first {MOST_BY_FILTER:,} by name are taken."
    stays = len(selection.devices) - len(changed) + selection.barred
    return DeviceBulkSummary(words=words, changes=len(changed), stays=stays, more=selection.more)


def _about_runs(action: DeviceAction, changed: Sequence[Device], taken: Mapping[str, int]) -> str:
    """Say what becomes of the runs: those that they have go on, and new ones come only to devices in use."""
    if not changed:
        return ""
    if action is DeviceAction.ENABLE:
        return " They take new runs at once."
    runs = sum(taken.get(device.id, 0) for device in changed)
    now = f"the {runs:,} run{'' if runs == 1 else 's'} on them now go{'es' if runs == 1 else ''} on"
    return f" They take nothing new; {now}." if runs else " They take nothing new; nothing runs on them now."


def _counted(count: int) -> str:
    return f"{count:,} device{'' if count == 1 else 's'}"
