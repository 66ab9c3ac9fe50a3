"""One's own account: password and sessions."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from controlroom.foundation.http import PROBLEMS, PageOut, PageQuery
from controlroom.identity.access import Guard, identity_of, permitted
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.schemas import (
    EndedOut,
    OpenSessionOut,
    OwnAccountIn,
    PasswordChangeIn,
    SessionOut,
    UserOut,
)

router = APIRouter(prefix="/me", tags=["account"], responses=PROBLEMS)

Owner = Annotated[Caller, permitted(Permission.OWN_ACCOUNT)]


@router.put("/password", status_code=204)
async def change_own_password(
    request: Request,
    response: Response,
    caller: Annotated[Caller, permitted(Guard.RENEWING)],
    body: PasswordChangeIn,
) -> None:
    """Change one's own password; one's other sessions end, and the cookie gets a new secret."""
    if not caller.must_change_password:
        caller.require(Permission.OWN_ACCOUNT)
    identity = identity_of(request)
    token = await identity.local.change_password(caller, current=body.current_password, new=body.new_password)
    identity.cookie.give(response, token, lifetime_seconds=identity.sessions.lifetime_seconds)


@router.patch("")
async def edit_own_account(request: Request, caller: Owner, body: OwnAccountIn) -> UserOut:
    """Change what one may of one's own account: the time zone in which times are shown."""
    return UserOut.of(await identity_of(request).accounts.set_time_zone(caller, body.time_zone))


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


sessions_router = APIRouter(tags=["sessions"], responses=PROBLEMS)

SessionManager = Annotated[Caller, permitted(Permission.SESSION_MANAGE)]


@sessions_router.get("/sessions")
async def list_sessions(request: Request, caller: SessionManager, page: PageQuery) -> PageOut[OpenSessionOut]:
    """List who is signed in. Filter by user, address, created, used, or free text."""
    found = await identity_of(request).sessions.page(caller, page)
    items = [OpenSessionOut.of(each, caller) for each in found.items]
    return PageOut(items=items, next_cursor=found.next_cursor)


@sessions_router.delete("/sessions/{session_id}", status_code=204)
async def end_session(request: Request, caller: SessionManager, session_id: str) -> None:
    """Sign someone out of one session."""
    await identity_of(request).sessions.end_anyones(caller, session_id)


@sessions_router.delete("/users/{user_id}/sessions")
async def end_sessions_of_user(request: Request, caller: SessionManager, user_id: str) -> EndedOut:
    """Sign a user out everywhere."""
    return EndedOut(ended=await identity_of(request).sessions.end_all_of(caller, user_id))
