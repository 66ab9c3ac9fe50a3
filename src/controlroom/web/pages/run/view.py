"""One run: header, story, log, inputs and outputs, artifacts, and what can be done with it."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request, Response

from controlroom.bots.file_inputs import names_files
from controlroom.foundation.errors import NotFound
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.runs.errors import NothingToCompareWith
from controlroom.runs.input_files.models import RunFile
from controlroom.runs.log import LogQuery
from controlroom.runs.schemas import AttemptOut, RepeatIn
from controlroom.runs.states import ENDED
from controlroom.web.live.sharing import own_live
from controlroom.web.pages.run.axis import BAR_HEIGHT, BARS, UNITS, axis_of
from controlroom.web.pages.run.story import actions_for, happenings, shown_attempt
from controlroom.web.rendering import changed, go_to, now_of, page
from controlroom.web.services import input_files_of, runs_of

router = APIRouter(include_in_schema=False, prefix="/runs/{run_id}")

RunId = Annotated[str, Path(max_length=64)]
Controller = Annotated[Caller, page_caller(Permission.RUN_CONTROL)]
Reason = Annotated[str, Form(max_length=500)]


@router.get("")
@own_live
async def run(
    request: Request,
    caller: Annotated[Caller, page_caller(Permission.RUN_READ)],
    run_id: RunId,
    attempt: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    late: bool = False,
) -> Response:
    """Tell a run's story."""
    runs = runs_of(request)
    detail = await runs.detail(caller, run_id)
    artifacts = await runs.artifacts(caller, run_id)
    shown = shown_attempt(detail, attempt)
    has_late = shown is not None and await _has_late_lines(request, caller, shown)
    given = await input_files_of(request).of_run(caller, run_id) if names_files(detail.inputs) else ()
    context = {
        "run": detail,
        "files": {file.id: file for _, file in given},
        "files_inside": [(place.pointer, file) for place, file in given if _is_inside(place, detail.inputs)],
        "attempt": shown,
        "late": late and has_late,
        "has_late": has_late,
        "artifacts": artifacts,
        "actions": actions_for(caller, detail, await runs.place(caller, detail.bot_id)),
        "happenings": happenings(detail),
        "axis": axis_of(
            detail,
            await runs.log_stretches(caller, run_id),
            await runs.usage_samples(caller, run_id),
            artifacts,
            now_of(request),
        ),
        "axis_units": UNITS,
        "bar_height": BAR_HEIGHT,
        "bar_width": UNITS / BARS - 1,
        "has_ended": detail.state in ENDED,
    }
    return page(request, caller, "pages/run/run.html", context)


def _is_inside(place: RunFile, inputs: Mapping[str, Any]) -> bool:
    """Say whether a file stands within a nested value, which is shown as JSON, and not by itself or in a list of files."""
    return place.pointer.count("/") > 2 or (
        place.pointer.count("/") == 2
        and not any(
            isinstance(value, list)
            and place.file_id in value
            and all(isinstance(each, str) for each in value)
            for value in inputs.values()
        )
    )


async def _has_late_lines(request: Request, caller: Caller, attempt: AttemptOut) -> bool:
    """Say whether lines came after the attempt's end, and were kept aside."""
    if attempt.ended_at is None:
        return False
    kept_aside = await runs_of(request).log(caller, attempt.id, LogQuery(limit=1, late=True))
    return kept_aside.total_lines > 0


@router.get("/compare")
async def compare(
    request: Request,
    caller: Annotated[Caller, page_caller(Permission.RUN_READ)],
    run_id: RunId,
    other: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Show what is different from the last run that succeeded, or from another."""
    runs = runs_of(request)
    context: dict[str, object] = {
        "run": await runs.get(caller, run_id),
        "found": None,
        "problem": "",
        "is_last_success": not other,
    }
    try:
        context["found"] = await runs.compare(caller, run_id, other)
    except NothingToCompareWith as error:
        context["problem"] = error.detail
    return page(request, caller, "pages/run/compare.html", context)


@router.get("/pictures/{artifact_id}")
async def picture(
    request: Request,
    caller: Annotated[Caller, page_caller(Permission.RUN_READ)],
    run_id: RunId,
    artifact_id: Annotated[str, Path(max_length=64)],
) -> Response:
    """Show one picture of the run, with the way to those before and after it."""
    runs = runs_of(request)
    detail = await runs.detail(caller, run_id)
    marks = axis_of(detail, (), (), await runs.artifacts(caller, run_id), now_of(request)).marks
    places = [place for place, mark in enumerate(marks) if mark.artifact.id == artifact_id]
    if not places:
        raise NotFound(f"The run {run_id} has no picture '{artifact_id}'.")
    here = places[0]
    context = {
        "run": detail,
        "mark": marks[here],
        "before": marks[here - 1] if here else None,
        "after": marks[here + 1] if here + 1 < len(marks) else None,
    }
    return page(request, caller, "pages/run/picture.html", context)


@router.post("/cancel")
async def cancel(request: Request, caller: Controller, run_id: RunId, reason: Reason = "") -> Response:
    """Cancel the run."""
    await runs_of(request).cancel(caller, run_id, reason)
    return changed(request, f"/runs/{run_id}")


@router.post("/pause")
async def pause(request: Request, caller: Controller, run_id: RunId) -> Response:
    """Halt the bot."""
    await runs_of(request).pause(caller, run_id)
    return changed(request, f"/runs/{run_id}")


@router.post("/resume")
async def resume(request: Request, caller: Controller, run_id: RunId) -> Response:
    """Let the bot go on."""
    await runs_of(request).resume(caller, run_id)
    return changed(request, f"/runs/{run_id}")


@router.post("/repeat")
async def repeat(
    request: Request, caller: Annotated[Caller, page_caller(Permission.RUN_REQUEST)], run_id: RunId
) -> Response:
    """Run it again with the same inputs, and go to the new run."""
    again = await runs_of(request).repeat(caller, run_id, RepeatIn())
    return go_to(request, f"/runs/{again.id}")
