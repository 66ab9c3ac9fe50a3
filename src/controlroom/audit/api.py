"""The API of the audit log."""

from typing import Annotated, cast

from fastapi import APIRouter, Path, Request

from controlroom.audit.schemas import AuditEntryOut, VerificationOut
from controlroom.audit.service import AuditService
from controlroom.foundation.http import PROBLEMS, PageOut, PageQuery
from controlroom.identity.access import permitted
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission

router = APIRouter(prefix="/api/v1/audit", tags=["audit"], responses=PROBLEMS)

Auditor = Annotated[Caller, permitted(Permission.AUDIT_READ)]

_LARGEST_NUMBER = 2**63 - 1


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


@router.get("/{number}")
async def get_entry(
    request: Request, _caller: Auditor, number: Annotated[int, Path(ge=1, le=_LARGEST_NUMBER)]
) -> AuditEntryOut:
    """Return one entry."""
    return AuditEntryOut.model_validate(await audit_of(request).entry(number))
