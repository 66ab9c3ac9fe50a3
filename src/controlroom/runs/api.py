"""Routes of runs, attempts, logs and artifacts."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, cast

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Request, Response, status
from fastapi.responses import FileResponse, StreamingResponse

from controlroom.foundation.exporting import CSV_RESPONSES, chosen_columns, csv_answer
from controlroom.foundation.http import PROBLEMS, PageOut, PageQuery
from controlroom.foundation.paging import PageRequest
from controlroom.identity.access import permitted
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.protocol.records import Level
from controlroom.runs.bulk import BulkAction
from controlroom.runs.columns import RUN_COLUMNS
from controlroom.runs.log import LogQuery
from controlroom.runs.schemas import (
    ArtifactOut,
    AttemptOut,
    BulkIn,
    BulkResult,
    BulkSummary,
    CancelIn,
    ComparisonOut,
    LevelName,
    LogOut,
    RepeatIn,
    RunDetailOut,
    RunIn,
    RunOut,
    UsageOut,
)
from controlroom.runs.service import RunService
from controlroom.runs.states import State

router = APIRouter(prefix="/api/v1", tags=["runs"], responses=PROBLEMS)

LAST_LINE = 2**31 - 1
_BINARY: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    }  # the type that the bot gave
}
_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
_RAW_LINES = 5_000


def run_service(request: Request) -> RunService:
    """Return the service that the server put into ``app.state.runs``."""
    return cast("RunService", request.app.state.runs)


Runs = Annotated[RunService, Depends(run_service)]
Reader = Annotated[Caller, permitted(Permission.RUN_READ)]
Requester = Annotated[Caller, permitted(Permission.RUN_REQUEST)]
Controller = Annotated[Caller, permitted(Permission.RUN_CONTROL)]
RunId = Annotated[str, Path(max_length=64)]
AttemptId = Annotated[str, Path(max_length=64)]


@router.post(
    "/runs",
    status_code=status.HTTP_201_CREATED,
    responses={200: {"model": RunOut, "description": "Made before by this key"}},
)
async def request_run(
    runs: Runs,
    caller: Requester,
    wanted: RunIn,
    response: Response,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> RunOut:
    """Ask for a run. The inputs are checked against the bot's schema, with errors by field."""
    if idempotency_key is not None and wanted.idempotency_key is None:
        wanted = wanted.model_copy(update={"idempotency_key": idempotency_key})
    run, is_new = await runs.request(caller, wanted)
    if not is_new:
        response.status_code = status.HTTP_200_OK
    response.headers["Location"] = f"/api/v1/runs/{run.id}"
    return RunOut.model_validate(run)


@router.get("/runs")
async def list_runs(runs: Runs, caller: Reader, page: PageQuery) -> PageOut[RunOut]:
    """List runs, newest first."""
    found = await runs.list(caller, page)
    return PageOut(items=[RunOut.model_validate(run) for run in found.items], next_cursor=found.next_cursor)


@router.get("/runs/overview")
async def overview(runs: Runs, caller: Reader) -> dict[State, int]:
    """Count the runs that live, and those of the last day that ended, by state."""
    return dict(await runs.overview(caller))


@router.get("/runs/export", responses=CSV_RESPONSES, response_class=StreamingResponse)
async def export_runs(
    *,
    runs: Runs,
    caller: Reader,
    filter: Annotated[str, Query(max_length=1000)] = "",  # the parameter's name in the API
    sort: Annotated[str, Query(max_length=60)] = "",
    columns: Annotated[
        str, Query(max_length=400, description="Names of columns, with commas between; all where empty.")
    ] = "",
    for_spreadsheet: Annotated[bool, Query(description="Begin with a byte order mark, for Excel.")] = False,
) -> StreamingResponse:
    """Give all runs that a filter finds as CSV, streamed; texts that a spreadsheet would run get an apostrophe."""
    return await csv_answer(
        "runs",
        chosen_columns(RUN_COLUMNS, columns),
        lambda asked: runs.list(caller, asked),
        PageRequest(filter=filter, sort=sort),
        for_spreadsheet=for_spreadsheet,
    )


@router.post("/runs/cancel")
async def cancel_many(runs: Runs, caller: Controller, wanted: BulkIn) -> list[BulkResult]:
    """Cancel many runs; each stands for itself."""
    return await runs.do_to_many(caller, BulkAction.CANCEL, wanted)


@router.post("/runs/cancel/summary")
async def summarise_cancel(runs: Runs, caller: Controller, wanted: BulkIn) -> BulkSummary:
    """Say what cancelling many runs would do; nothing is changed."""
    return await runs.summarise(caller, BulkAction.CANCEL, wanted)


@router.post("/runs/repeat")
async def repeat_many(runs: Runs, caller: Requester, wanted: BulkIn) -> list[BulkResult]:
    """Run many again with the same inputs; each stands for itself."""
    return await runs.do_to_many(caller, BulkAction.REPEAT, wanted)


@router.post("/runs/repeat/summary")
async def summarise_repeat(runs: Runs, caller: Requester, wanted: BulkIn) -> BulkSummary:
    """Say what running many again would do; nothing is changed."""
    return await runs.summarise(caller, BulkAction.REPEAT, wanted)


@router.get("/runs/{run_id}")
async def get_run(runs: Runs, caller: Reader, run_id: RunId) -> RunDetailOut:
    """Give a run with its attempts and history, and why it waits."""
    return await runs.detail(caller, run_id)


@router.post("/runs/{run_id}/cancel")
async def cancel_run(
    runs: Runs, caller: Controller, run_id: RunId, wanted: Annotated[CancelIn | None, Body()] = None
) -> RunOut:
    """Cancel a run: at once while it waits, with a polite signal first once it is active."""
    return RunOut.model_validate(await runs.cancel(caller, run_id, wanted.reason if wanted else ""))


@router.post("/runs/{run_id}/pause")
async def pause_run(runs: Runs, caller: Controller, run_id: RunId) -> RunOut:
    """Halt the bot's processes."""
    return RunOut.model_validate(await runs.pause(caller, run_id))


@router.post("/runs/{run_id}/resume")
async def resume_run(runs: Runs, caller: Controller, run_id: RunId) -> RunOut:
    """Let the bot's processes go on."""
    return RunOut.model_validate(await runs.resume(caller, run_id))


@router.post("/runs/{run_id}/repeat", status_code=status.HTTP_201_CREATED)
async def repeat_run(
    runs: Runs, caller: Requester, run_id: RunId, wanted: Annotated[RepeatIn | None, Body()] = None
) -> RunOut:
    """Run again, with the same inputs or others."""
    return RunOut.model_validate(await runs.repeat(caller, run_id, wanted or RepeatIn()))


@router.get("/runs/{run_id}/attempts")
async def list_attempts(runs: Runs, caller: Reader, run_id: RunId) -> list[AttemptOut]:
    """List a run's attempts, first to last."""
    return [AttemptOut.model_validate(attempt) for attempt in await runs.attempts(caller, run_id)]


@router.get("/runs/{run_id}/comparison")
async def compare_run(
    runs: Runs,
    caller: Reader,
    run_id: RunId,
    other: Annotated[
        str, Query(max_length=64, description="Id of a run; the bot's last success where empty.")
    ] = "",
) -> ComparisonOut:
    """Compare a run with the last one of its bot that succeeded, or with another."""
    return await runs.compare(caller, run_id, other)


@router.get("/runs/{run_id}/artifacts")
async def list_artifacts(runs: Runs, caller: Reader, run_id: RunId) -> list[ArtifactOut]:
    """List the files that a run's attempts left."""
    return [ArtifactOut.model_validate(artifact) for artifact in await runs.artifacts(caller, run_id)]


@router.get("/attempts/{attempt_id}")
async def get_attempt(runs: Runs, caller: Reader, attempt_id: AttemptId) -> AttemptOut:
    """Give one attempt."""
    return AttemptOut.model_validate(await runs.attempt(caller, attempt_id))


@router.get("/attempts/{attempt_id}/usage")
async def get_usage(runs: Runs, caller: Reader, attempt_id: AttemptId) -> UsageOut:
    """Give what an attempt's processes used over time: processors and memory."""
    return await runs.usage(caller, attempt_id)


@router.get("/attempts/{attempt_id}/log")
async def get_log(
    runs: Runs,
    caller: Reader,
    attempt_id: AttemptId,
    first: Annotated[int, Query(ge=0, le=LAST_LINE, description="Line to begin with, counted from 0.")] = 0,
    limit: Annotated[int, Query(ge=1, le=2_000)] = 500,
    level: Annotated[LevelName, Query(description="Least level.")] = "debug",
    search: Annotated[
        str, Query(max_length=200, description="A text that the lines hold, in any case.")
    ] = "",
    late: Annotated[
        bool, Query(description="What came after the attempt had ended, and was kept aside.")
    ] = False,
) -> LogOut:
    """Give a stretch of an attempt's log."""
    query = LogQuery(first=first, limit=limit, level=Level[level.upper()], search=search, late=late)
    return await runs.log(caller, attempt_id, query)


@router.get("/attempts/{attempt_id}/log/text", responses=_TEXT, response_class=StreamingResponse)
async def get_log_text(runs: Runs, caller: Reader, attempt_id: AttemptId) -> StreamingResponse:
    """Give the whole log as text, streamed."""
    await runs.attempt(caller, attempt_id)

    async def text() -> AsyncIterator[str]:
        line: int | None = 0
        while line is not None:
            part = await runs.log(caller, attempt_id, LogQuery(first=line, limit=_RAW_LINES))
            yield "".join(
                f"{each.time:%Y-%m-%dT%H:%M:%S.%fZ} {each.level:<7} {each.stream} {each.text}\n"
                for each in part.lines
            )
            line = part.next_line if part.lines else None

    headers = {"Content-Disposition": f'attachment; filename="{attempt_id}.log"'}
    return StreamingResponse(text(), media_type="text/plain; charset=utf-8", headers=headers)


@router.get("/artifacts/{artifact_id}/content", responses=_BINARY, response_class=FileResponse)
async def get_artifact(
    runs: Runs, caller: Reader, artifact_id: Annotated[str, Path(max_length=64)], inline: bool = False
) -> FileResponse:
    """Give an artifact's content, as a download; pictures, PDF and plain text may be shown in the page."""
    artifact, path = await runs.artifact_file(caller, artifact_id)
    shown = inline and artifact.media_type in _SHOWN_TYPES
    return FileResponse(
        path,
        media_type=artifact.media_type if shown else "application/octet-stream",
        filename=artifact.name.rpartition("/")[2],
        content_disposition_type="inline" if shown else "attachment",
        headers={"Content-Security-Policy": "sandbox; default-src 'none'"},
    )


_SHOWN_TYPES = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "text/plain", "application/pdf"}
)
"""Types that cannot run script in our own origin; anything else is only downloaded."""
