"""One audit entry: all that it says, and its links to the entries before and behind."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from controlroom.audit.api import audit_of
from controlroom.audit.entry import entry_hash
from controlroom.audit.models import AuditEntry
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.pages.audit.view import OUTCOME_FACES, PATH
from controlroom.web.pages.audit_entry.differences import differences, remaining
from controlroom.web.rendering import page

router = APIRouter(include_in_schema=False)

_LARGEST_NUMBER = 2**63 - 1
_PAGES = {"run": "/runs/", "bot": "/bots/", "device": "/devices/", "pool": "/pools/"}
"""Where the targets of entries have pages of their own."""


@router.get(f"{PATH}/{{number}}")
async def entry(
    request: Request,
    caller: Annotated[Caller, page_caller(Permission.AUDIT_READ)],
    number: Annotated[int, Path(ge=1, le=_LARGEST_NUMBER)],
) -> Response:
    """Show one entry."""
    found = await audit_of(request).entry(number)
    columns = AuditEntry.__table__.columns.keys()
    context = {
        "entry": found,
        "face": OUTCOME_FACES[found.outcome],
        "differences": differences(found.detail),
        "remaining": remaining(found.detail),
        "holds": entry_hash({name: getattr(found, name) for name in columns}) == found.hash,
        "target_path": f"{_PAGES[found.target_kind]}{found.target_id}" if found.target_kind in _PAGES else "",
    }
    return page(request, caller, "pages/audit_entry/audit_entry.html", context)
