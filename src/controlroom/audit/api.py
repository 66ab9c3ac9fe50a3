"""The API of the audit log."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, cast

from fastapi import APIRouter, Path, Query, Request, status
from fastapi.responses import StreamingResponse

from controlroom.audit.export import JSON_LINES_MEDIA_TYPE
from controlroom.audit.models import AuditEntry
from controlroom.audit.schemas import AuditEntryOut, CheckpointOut, LogStateOut, VerificationOut
from controlroom.audit.service import AuditService
from controlroom.foundation.exporting import CSV_RESPONSES, CsvColumn, csv_answer
from controlroom.foundation.http import PROBLEMS, PageOut, PageQuery
from controlroom.foundation.paging import PageRequest
from controlroom.identity.access import permitted
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission

router = APIRouter(prefix="/api/v1/audit", tags=["audit"], responses=PROBLEMS)

Auditor = Annotated[Caller, permitted(Permission.AUDIT_READ)]
ExportFilter = Annotated[str, Query(max_length=1000, description="As in the list of entries.")]

_LARGEST_NUMBER = 2**63 - 1
_EXPORT_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {JSON_LINES_MEDIA_TYPE: {"schema": {"type": "string"}}},
        "description": "The entries, one a line.",
    }
}

CSV_COLUMNS: tuple[CsvColumn[AuditEntry], ...] = (
    CsvColumn("number", lambda entry: entry.number),
    CsvColumn("time", lambda entry: entry.time),
    CsvColumn("actor", lambda entry: entry.actor_name),
    CsvColumn("actor_kind", lambda entry: entry.actor_kind),
    CsvColumn("actor_id", lambda entry: entry.actor_id),
    CsvColumn("action", lambda entry: entry.action),
    CsvColumn("target", lambda entry: entry.target_name),
    CsvColumn("target_kind", lambda entry: entry.target_kind),
    CsvColumn("target_id", lambda entry: entry.target_id),
    CsvColumn("outcome", lambda entry: entry.outcome),
    CsvColumn("address", lambda entry: entry.address),
    CsvColumn("request", lambda entry: entry.request_id),
    CsvColumn("detail", lambda entry: entry.detail),
    CsvColumn("hash", lambda entry: entry.hash),
)
"""What an export as CSV holds of an entry."""


def audit_of(request: Request) -> AuditService:
    """Return the service that the server put into ``app.state.audit``."""
    return cast("AuditService", request.app.state.audit)


@router.get("")
async def list_entries(request: Request, _caller: Auditor, page: PageQuery) -> PageOut[AuditEntryOut]:
    """List entries, newest first.

    Filter by number, time, actor, actor_id, actor_kind, action (`action:user.*`), target, target_id, target_kind,
    outcome, address, request, or free text.
    """
    found = await audit_of(request).page(page)
    items = [AuditEntryOut.model_validate(entry) for entry in found.items]
    return PageOut(items=items, next_cursor=found.next_cursor)


@router.get("/verification")
async def verify_chain(request: Request, _caller: Auditor) -> VerificationOut:
    """Read the whole chain and say whether it holds; an answer is at most half a minute old."""
    return VerificationOut.of(await audit_of(request).verification())


@router.get("/state")
async def log_state(request: Request, _caller: Auditor) -> LogStateOut:
    """Say how the log stands: newest entry, seal, last checkpoint, what was removed, how far it was sent elsewhere."""
    audit = audit_of(request)
    return LogStateOut.of(await audit.state(), await audit.public_key())


@router.post("/checkpoints", status_code=status.HTTP_201_CREATED)
async def make_checkpoint(
    request: Request, caller: Annotated[Caller, permitted(Permission.AUDIT_MANAGE)]
) -> CheckpointOut:
    """Sign the newest entry, to be kept elsewhere and shown to `controlroom audit verify --checkpoint` later."""
    return CheckpointOut.of(await audit_of(request).checkpoint(caller.actor))


@router.get("/export", responses=_EXPORT_RESPONSES, response_class=StreamingResponse)
async def export_entries(request: Request, _caller: Auditor, filter: ExportFilter = "") -> StreamingResponse:
    """Give every entry that fits a filter as JSON lines, oldest first, streamed."""
    batches = audit_of(request).export(filter)
    first: list[str] = await anext(
        batches, []
    )  # a filter that cannot stand is refused before the answer begins

    async def lines() -> AsyncIterator[str]:
        yield "".join(first)
        async for batch in batches:
            yield "".join(batch)

    headers = {"Content-Disposition": 'attachment; filename="audit.jsonl"', "Cache-Control": "no-store"}
    return StreamingResponse(lines(), media_type=JSON_LINES_MEDIA_TYPE, headers=headers)


@router.get("/export/csv", responses=CSV_RESPONSES, response_class=StreamingResponse)
async def export_csv(
    request: Request,
    _caller: Auditor,
    filter: ExportFilter = "",
    sort: Annotated[str, Query(max_length=60)] = "",
    for_spreadsheet: Annotated[
        bool, Query(description="Put a byte order mark first, which Excel needs.")
    ] = False,
) -> StreamingResponse:
    """Give every entry that fits a filter as CSV, newest first where nothing else is asked for, streamed."""
    wanted = PageRequest(filter=filter, sort=sort)
    page = audit_of(request).page
    return await csv_answer("audit", CSV_COLUMNS, page, wanted, for_spreadsheet=for_spreadsheet)


@router.get("/{number}")
async def get_entry(
    request: Request, _caller: Auditor, number: Annotated[int, Path(ge=1, le=_LARGEST_NUMBER)]
) -> AuditEntryOut:
    """Return one entry."""
    return AuditEntryOut.model_validate(await audit_of(request).entry(number))
