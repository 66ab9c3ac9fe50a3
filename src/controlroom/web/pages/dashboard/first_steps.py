"""The first-visit guide: three steps from an empty Control Room to a bot that ran. It goes away by itself once all are done."""

from dataclasses import dataclass

from fastapi import Request

from controlroom.foundation.paging import PageRequest
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import EVERYWHERE
from controlroom.web.services import bots_of, devices_of, runs_of

_READS = (Permission.BOT_READ, Permission.DEVICE_READ, Permission.RUN_READ)
_ONE = PageRequest(limit=1)


@dataclass(frozen=True, slots=True)
class Step:
    """One step; ``path`` is where to do it, empty for who may not or where it is done."""

    title: str
    words: str
    icon: str
    is_done: bool
    path: str
    label: str


async def first_steps(request: Request, caller: Caller) -> list[Step]:
    """Return the steps while any of them is to be done, nothing afterwards.

    Only who sees all bots, devices and runs can tell whether a step is done; for others there is no guide.
    """
    state = request.app.state
    if getattr(state, "first_steps_are_done", False):
        return []
    if not all(caller.may(right, EVERYWHERE) for right in _READS):
        return []
    steps = await _steps(request, caller)
    if all(step.is_done for step in steps):
        state.first_steps_are_done = True  # remembers only what every node finds out again by itself
        return []
    return steps


async def _steps(request: Request, caller: Caller) -> list[Step]:
    has_device = bool((await devices_of(request).list(caller, _ONE)).items)
    bots = (await bots_of(request).list_bots(caller, _ONE)).items
    has_run = bool((await runs_of(request).list(caller, _ONE)).items)
    may_join = caller.may(Permission.DEVICE_MANAGE, EVERYWHERE) and not has_device
    may_publish = caller.may(Permission.BOT_PUBLISH) and not bots
    may_run = caller.may(Permission.RUN_REQUEST) and bool(bots) and not has_run
    return [
        Step(
            "Join a Bot Runner",
            "A machine on which bots run. It needs one outgoing connection to here.",
            "monitor",
            has_device,
            "/devices/join" if may_join else "",
            "Join a device",
        ),
        Step(
            "Publish a bot",
            "A folder with a script is enough: drop its zip here, or send it with 'controlroom bot publish'.",
            "bot",
            bool(bots),
            "/bots/publish" if may_publish else "",
            "Publish a bot",
        ),
        Step(
            "Run it",
            "Give it its inputs, and watch what it does.",
            "play",
            has_run,
            f"/bots/{bots[0].bot.id}/run" if may_run else "",
            "Run it",
        ),
    ]
