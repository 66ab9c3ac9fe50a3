"""The audit log: who did what to what, when, from where, and whether it worked; and how its chain stands."""

import json
from typing import Annotated

from fastapi import APIRouter, Request, Response

from controlroom.audit.api import audit_of
from controlroom.audit.models import AuditOutcome
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.lists import ListQuery
from controlroom.web.rendering import changed, page
from controlroom.web.tables import Column, TableSpec, shown_table
from controlroom.web.wording import Face

router = APIRouter(include_in_schema=False)

PATH = "/audit"

ENTRIES = TableSpec(
    name="audit",
    path=PATH,
    noun="entry",
    plural="entries",
    columns=(
        Column("time", "When", sort="time", style="w-time", newest_first=True),
        Column("actor", "Who"),
        Column("action", "What", heading=True),
        Column("target", "To what", style="cut"),
        Column("outcome", "Outcome", style="w-state"),
        Column("address", "From where", style="w-less"),
        Column("number", "Number", sort="number", style="number w-less", newest_first=True),
        Column("request", "Request", shown=False),
    ),
    default_sort="-number",
    example="actor:alice action:user.* outcome:refused time>=2026-01-31",
    live="run.,bot.,device.,pool.,user.,session.",
    export="/api/v1/audit/export/csv",
    key=lambda entry: str(entry.number),
)

OUTCOME_FACES = {
    AuditOutcome.DONE: Face("Done", "circle-check", "succeeded"),
    AuditOutcome.REFUSED: Face("Refused", "ban", "warning"),
    AuditOutcome.FAILED: Face("Failed", "circle-x", "failed"),
}

_TABS = (
    ("All", ""),
    ("Refused", "outcome:refused"),
    ("Failed", "outcome:failed"),
    ("Sign-ins", "action:session.*"),
    ("By people", "actor_kind:user"),
)

Auditor = Annotated[Caller, page_caller(Permission.AUDIT_READ)]


@router.get(PATH)
async def entries(request: Request, caller: Auditor, wanted: ListQuery) -> Response:
    """Show a page of entries."""
    audit = audit_of(request)
    table = await shown_table(request, caller, ENTRIES, wanted, audit.page)
    context = {"table": table, "tabs": _TABS, "state": await audit.state(), "faces": OUTCOME_FACES}
    return page(request, caller, "pages/audit/audit.html", context, status=table.status)


@router.post(f"{PATH}/verify")
async def verify(request: Request, caller: Auditor) -> Response:
    """Prove the whole chain anew; the page then shows what was found."""
    await audit_of(request).verification()
    return changed(request, PATH)


@router.post(f"{PATH}/checkpoint")
async def checkpoint(
    request: Request, caller: Annotated[Caller, page_caller(Permission.AUDIT_MANAGE)]
) -> Response:
    """Sign the newest entry and give the checkpoint as a file."""
    made = await audit_of(request).checkpoint(caller.actor)
    text = json.dumps(made.document(), indent=2) + "\n"
    name = f"controlroom-checkpoint-{made.link.number}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(text, media_type="application/json", headers=headers)
