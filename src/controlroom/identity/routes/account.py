"""One's own account: password and sessions."""

from typing import Annotated

from fastapi import APIRouter, Request

from controlroom.foundation.http import PROBLEMS, PageOut
from controlroom.identity.access import identity_of, permitted
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.schemas import EndedOut, PasswordChangeIn, SessionOut

router = APIRouter(prefix="/me", tags=["account"], responses=PROBLEMS)

Owner = Annotated[Caller, permitted(Permission.OWN_ACCOUNT)]


@router.put("/password", status_code=204)
async def change_own_password(request: Request, caller: Owner, body: PasswordChangeIn) -> None:
    """Change one's own password; one's other sessions end."""
    await identity_of(request).local.change_password(
        caller, current=body.current_password, new=body.new_password
    )


@router.get("/sessions")
async def list_own_sessions(request: Request, caller: Owner) -> PageOut[SessionOut]:
    """List one's open sessions, the one used last first; there are never so many that they need a second page."""
    found = await identity_of(request).sessions.live(caller.user_id)
    return PageOut(items=[SessionOut.of(session, caller) for session in found], next_cursor=None)


@router.delete("/sessions")
async def end_other_sessions(request: Request, caller: Owner) -> EndedOut:
    """End all of one's sessions but the one that asks."""
    return EndedOut(ended=await identity_of(request).sessions.end_others(caller))


@router.delete("/sessions/{session_id}", status_code=204)
async def end_own_session(request: Request, caller: Owner, session_id: str) -> None:
    """End one of one's sessions."""
    await identity_of(request).sessions.end(caller, session_id)
