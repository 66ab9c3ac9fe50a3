"""The jump box: pages, bots, runs and devices that a few letters may mean."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from controlroom.foundation.paging import PageRequest
from controlroom.identity.access import Guard, page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.navigation import menu_of
from controlroom.web.rendering import now_of, page
from controlroom.web.services import bots_of, devices_of, runs_of
from controlroom.web.wording import presence_face, relative, short_id, state_face

router = APIRouter(include_in_schema=False)

_MOST_OF_A_KIND = 6


@dataclass(frozen=True, slots=True)
class Target:
    """Somewhere to go."""

    title: str
    kind: str
    path: str
    icon: str
    beside: str = ""


@router.get("/jump")
async def jump(
    request: Request,
    caller: Annotated[Caller, page_caller(Guard.SIGNED_IN)],
    words: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """Return what the words may mean, pages first."""
    wanted = words.strip()
    targets = [
        Target(entry.title, "Page", entry.path, entry.icon)
        for entry in menu_of(caller)
        if wanted.lower() in entry.title.lower()
    ]
    if wanted:
        asked = PageRequest(filter=_as_one_word(wanted), limit=_MOST_OF_A_KIND)
        finders: list[tuple[Permission, Callable[..., Awaitable[list[Target]]]]] = [
            (Permission.BOT_READ, _bots),
            (Permission.DEVICE_READ, _devices),
            (Permission.RUN_READ, _runs),
        ]
        for permission, find in finders:
            if caller.may(permission):
                targets += await find(request, caller, asked)
    return page(request, caller, "pages/jump/results.html", {"targets": targets, "words": wanted})


def _as_one_word(words: str) -> str:
    """Quote what was typed, so that it is looked for as it stands and is no filter."""
    plain = "".join(character for character in words if character not in "\"'\\:<>=")
    return f'"{plain}"' if not plain.startswith("-") else f'"{plain.lstrip("-")}"'


async def _bots(request: Request, caller: Caller, asked: PageRequest) -> list[Target]:
    found = await bots_of(request).list_bots(caller, asked)
    return [
        Target(view.bot.name, "Bot", f"/bots/{view.bot.id}", "bot", view.bot.folder) for view in found.items
    ]


async def _devices(request: Request, caller: Caller, asked: PageRequest) -> list[Target]:
    found = await devices_of(request).list(caller, asked)
    return [
        Target(device.name, "Device", f"/devices/{device.id}", "monitor", presence_face(device).word)
        for device in found.items
    ]


async def _runs(request: Request, caller: Caller, asked: PageRequest) -> list[Target]:
    found = await runs_of(request).list(caller, asked)
    now = now_of(request)
    targets = [
        Target(
            run.bot_name,
            "Run",
            f"/runs/{run.id}",
            state_face(run.state).icon,
            f"{state_face(run.state).word}, {relative(run.created_at, now)}, {short_id(run.id)}",
        )
        for run in found.items
    ]
    if found.looked_to is not None and found.next_cursor:
        address = f"/activity?{urlencode({'filter': asked.filter, 'cursor': found.next_cursor})}"
        words = f"looked at those since {relative(found.looked_to, now)}"
        targets.append(Target("Look through older runs", "Runs", address, "search", words))
    return targets
