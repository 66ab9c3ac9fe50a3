"""All runs, newest first, live; many of them cancelled or run again at once."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from pydantic import ValidationError

from controlroom.foundation.errors import Invalid
from controlroom.identity.access import Guard, page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.runs.bulk import BulkAction as RunsAction
from controlroom.runs.schemas import BulkIn
from controlroom.runs.states import State
from controlroom.web.lists import ListQuery
from controlroom.web.live.sharing import shared_live
from controlroom.web.navigation import first_page
from controlroom.web.pages.bulk.plan import Plan, ask, tell
from controlroom.web.rendering import go_to, page
from controlroom.web.services import runs_of
from controlroom.web.tables import BulkAction, Column, TableSpec, shown_table

router = APIRouter(include_in_schema=False)

PATH = "/activity"

RUNS = TableSpec(
    name="runs",
    path=PATH,
    noun="run",
    plural="runs",
    columns=(
        Column("state", "State", style="w-state"),
        Column("bot", "Bot", heading=True),
        Column("version", "Version", style="figure w-version"),
        Column("device", "Device", style="w-device"),
        Column("by", "By", style="w-by"),
        Column("created", "Requested", sort="created", style="w-time", newest_first=True),
        Column("ended", "Ended", style="w-time", shown=False),
        Column("duration", "Duration", style="number w-duration"),
        Column("attempts", "Attempts", style="number", shown=False),
        Column("priority", "Priority", style="number", shown=False),
        Column("labels", "Labels", shown=False),
        Column("id", "Id", shown=False),
        Column("happened", "What happened", style="cut"),
    ),
    default_sort="-created",
    example="state:failed bot:invoices created>=2026-01-31 some words",
    live="run.",
    export="/api/v1/runs/export",
    bulk=(
        BulkAction(f"{PATH}/cancel", "Cancel…", "square", Permission.RUN_CONTROL, "danger-quiet"),
        BulkAction(f"{PATH}/repeat", "Run again…", "rotate-ccw", Permission.RUN_REQUEST),
    ),
)


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
@shared_live
async def activity(
    request: Request, caller: Annotated[Caller, page_caller(Permission.RUN_READ)], wanted: ListQuery
) -> Response:
    """Show a page of runs."""
    runs = runs_of(request)
    table, counts = await asyncio.gather(
        shown_table(request, caller, RUNS, wanted, lambda asked: runs.list(caller, asked)),
        runs.overview(caller),
    )
    tabs = [Tab("All", "", None)]
    for title, states, tone in _TABS:
        words = f"state:{','.join(states)}"
        tabs.append(Tab(title, words, sum(counts.get(state, 0) for state in states), tone))
    context = {"table": table, "tabs": tabs}
    return page(request, caller, "pages/activity/activity.html", context, status=table.status)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The runs that the table's form names: by id, or all that its filter finds."""

    ids: list[str]
    filter: str
    everything: bool
    reason: str

    def bulk(self) -> BulkIn:
        """Return it as the service takes it; raise `Invalid` where nothing is selected."""
        try:
            if self.everything:
                return BulkIn(filter=self.filter, reason=self.reason)
            return BulkIn(ids=self.ids, reason=self.reason)
        except ValidationError:
            raise Invalid("Select 1 to 500 runs first.") from None


def chosen_runs(
    id: Annotated[list[str] | None, Form(max_length=500)] = None,  # the field's name
    filter: Annotated[str, Form(max_length=1000)] = "",  # the field's name
    everything: Annotated[str, Form(max_length=10)] = "",
    reason: Annotated[str, Form(max_length=500)] = "",
) -> Chosen:
    """Read the table's form."""
    return Chosen(id or [], filter, bool(everything), reason)


ChosenRuns = Annotated[Chosen, Depends(chosen_runs)]
Controller = Annotated[Caller, page_caller(Permission.RUN_CONTROL)]
Requester = Annotated[Caller, page_caller(Permission.RUN_REQUEST)]


@router.post(f"{PATH}/cancel")
async def ask_cancel(request: Request, caller: Controller, chosen: ChosenRuns) -> Response:
    """Say what cancelling the selected runs will do."""
    return await _ask(request, caller, RunsAction.CANCEL, chosen)


@router.post(f"{PATH}/cancel/now")
async def cancel(request: Request, caller: Controller, chosen: ChosenRuns) -> Response:
    """Cancel the selected runs."""
    return await _do(request, caller, RunsAction.CANCEL, chosen)


@router.post(f"{PATH}/repeat")
async def ask_repeat(request: Request, caller: Requester, chosen: ChosenRuns) -> Response:
    """Say what running the selected runs again will do."""
    return await _ask(request, caller, RunsAction.REPEAT, chosen)


@router.post(f"{PATH}/repeat/now")
async def repeat(request: Request, caller: Requester, chosen: ChosenRuns) -> Response:
    """Run the selected runs again."""
    return await _do(request, caller, RunsAction.REPEAT, chosen)


_TITLES = {RunsAction.CANCEL: "Cancel runs", RunsAction.REPEAT: "Run again"}
_DONE = {RunsAction.CANCEL: "cancelled", RunsAction.REPEAT: "asked for again"}


async def _ask(request: Request, caller: Caller, action: RunsAction, chosen: Chosen) -> Response:
    told = await runs_of(request).summarise(caller, action, chosen.bulk())
    is_cancel = action is RunsAction.CANCEL
    plan = Plan(
        title=_TITLES[action],
        words=told.words,
        label=f"{'Cancel' if is_cancel else 'Run'} {_runs(told.changes)}",
        changes=told.changes,
        action=f"{PATH}/{action.value}/now",
        back=PATH,
        list_title="Activity",
        ids=[] if chosen.everything else chosen.ids,
        filter=chosen.filter,
        everything=chosen.everything,
        kind="danger" if is_cancel else "primary",
    )
    return ask(request, caller, plan)


async def _do(request: Request, caller: Caller, action: RunsAction, chosen: Chosen) -> Response:
    results = await runs_of(request).do_to_many(caller, action, chosen.bulk())
    refused = [each.message for each in results if not each.done]
    words = f"{_runs(len(results) - len(refused))} {_DONE[action]}"
    return tell(request, caller, f"{words}, {len(refused):,} not." if refused else f"{words}.", refused, PATH)


def _runs(count: int) -> str:
    return f"{count:,} run{'' if count == 1 else 's'}"
