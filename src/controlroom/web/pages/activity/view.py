"""All runs, newest first, live."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request, Response

from controlroom.identity.access import Guard, page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.runs.states import State
from controlroom.web.lists import ListQuery, listing
from controlroom.web.navigation import first_page
from controlroom.web.rendering import go_to, page
from controlroom.web.services import runs_of

router = APIRouter(include_in_schema=False)

PATH = "/activity"


@dataclass(frozen=True, slots=True)
class Tab:
    """A filter that people use often, with how many runs it has now."""

    title: str
    filter: str
    count: int | None
    tone: str = ""


_TABS: tuple[tuple[str, tuple[State, ...], str], ...] = (
    ("Waiting", (State.QUEUED,), "waiting"),
    ("Running", (State.ASSIGNED, State.RUNNING, State.PAUSED), "running"),
    ("Failed", (State.FAILED, State.TIMED_OUT, State.LOST, State.REJECTED), "failed"),
    ("Succeeded", (State.SUCCEEDED,), "succeeded"),
)


@router.get("/")
async def first(request: Request, caller: Annotated[Caller, page_caller(Guard.SIGNED_IN)]) -> Response:
    """Go to where the caller begins."""
    return go_to(request, first_page(caller))


@router.get(PATH)
async def activity(
    request: Request, caller: Annotated[Caller, page_caller(Permission.RUN_READ)], wanted: ListQuery
) -> Response:
    """Show a page of runs."""
    runs = runs_of(request)
    found, counts = await asyncio.gather(
        listing(PATH, wanted, lambda asked: runs.list(caller, asked)), runs.overview(caller)
    )
    tabs = [Tab("All", "", None)]
    for title, states, tone in _TABS:
        words = f"state:{','.join(states)}"
        tabs.append(Tab(title, words, sum(counts.get(state, 0) for state in states), tone))
    context = {"listing": found, "tabs": tabs}
    return page(request, caller, "pages/activity/activity.html", context, status=found.status)
