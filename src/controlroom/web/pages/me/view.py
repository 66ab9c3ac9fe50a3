"""One's own account: password, open sessions, API keys, theme."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from controlroom.foundation.errors import Conflict, Invalid, TooManyRequests
from controlroom.foundation.paging import PageRequest
from controlroom.identity.access import Guard, identity_of, page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission, known_permissions
from controlroom.identity.zones import zone_names
from controlroom.web.pages.me import new_password
from controlroom.web.rendering import go_to, now_of, page

router = APIRouter(include_in_schema=False, prefix="/me")
router.include_router(new_password.router)

PATH = "/me"
_MOST_KEYS = 100
_ROTATED_LIFE = timedelta(days=90)
_OVERLAP = timedelta(days=1)
_NOTES = {
    "password": "The password is changed; your other sessions have ended.",
    "time-zone": "Times are shown in the time zone that you chose.",
}

Owner = Annotated[Caller, page_caller(Permission.OWN_ACCOUNT)]


@router.get("")
async def me(
    request: Request, caller: Annotated[Caller, page_caller(Guard.SIGNED_IN)], done: str = ""
) -> Response:
    """Show one's own account."""
    return await _show(request, caller, done=_NOTES.get(done, ""))


@router.post("/password")
async def change_password(
    request: Request,
    caller: Owner,
    current_password: Annotated[str, Form(max_length=1024)] = "",
    new_password: Annotated[str, Form(max_length=1024)] = "",
) -> Response:
    """Change one's own password."""
    identity = identity_of(request)
    try:
        token = await identity.local.change_password(caller, current=current_password, new=new_password)
    except (Invalid, TooManyRequests, Conflict) as error:
        errors = {field.pointer: field.message for field in error.fields}
        return await _show(
            request, caller, errors=errors, problem="" if errors else error.detail, status=error.status
        )
    response = go_to(request, f"{PATH}?done=password")
    identity.cookie.give(response, token, lifetime_seconds=identity.sessions.lifetime_seconds)
    return response


@router.post("/time-zone")
async def set_time_zone(
    request: Request, caller: Owner, time_zone: Annotated[str, Form(max_length=64)] = ""
) -> Response:
    """Choose the zone in which times are shown."""
    try:
        await identity_of(request).accounts.set_time_zone(caller, time_zone)
    except Invalid as error:
        return await _show(request, caller, zone_problem=error.detail, zone=time_zone, status=error.status)
    return go_to(request, f"{PATH}?done=time-zone")


@router.post("/sessions/end")
async def end_session(
    request: Request, caller: Owner, session: Annotated[str, Form(max_length=64)]
) -> Response:
    """End one of one's sessions."""
    await identity_of(request).sessions.end(caller, session)
    return go_to(request, PATH)


@router.post("/sessions/end-others")
async def end_others(request: Request, caller: Owner) -> Response:
    """End all of one's sessions but this one."""
    await identity_of(request).sessions.end_others(caller)
    return go_to(request, PATH)


@router.post("/keys")
async def make_key(
    request: Request,
    caller: Owner,
    name: Annotated[str, Form(max_length=200)] = "",
    days: Annotated[int, Form(ge=1, le=365)] = 90,
    permission: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Make an API key and show it this once."""
    keys = identity_of(request).api_keys
    wanted = known_permissions(permission or [])
    try:
        made = await keys.create(
            caller, name=name, permissions=wanted, expires_at=now_of(request) + timedelta(days=days)
        )
    except (Invalid, Conflict) as error:
        errors = {field.pointer: field.message for field in error.fields}
        typed = {"name": name, "days": days, "permissions": wanted}
        return await _show(
            request, caller, errors=errors, key_problem=error.detail, key=typed, status=error.status
        )
    return await _show(request, caller, secret=made.secret)


@router.post("/keys/rotate")
async def rotate_key(request: Request, caller: Owner, key: Annotated[str, Form(max_length=64)]) -> Response:
    """Make a key that takes another's place, and show it this once; the old one counts for a day more."""
    keys = identity_of(request).api_keys
    until = now_of(request) + _ROTATED_LIFE
    try:
        made = await keys.rotate(caller, key, expires_at=until, overlap=_OVERLAP)
    except Conflict as error:
        return await _show(request, caller, key_problem=error.detail, status=error.status)
    return await _show(request, caller, secret=made.secret)


@router.post("/keys/revoke")
async def revoke_key(request: Request, caller: Owner, key: Annotated[str, Form(max_length=64)]) -> Response:
    """Revoke one of one's API keys."""
    await identity_of(request).api_keys.revoke(caller, key)
    return go_to(request, PATH)


async def _show(request: Request, caller: Caller, *, status: int = 200, **shown: Any) -> Response:
    identity = identity_of(request)
    owns = caller.may(Permission.OWN_ACCOUNT)
    context: dict[str, Any] = {
        "sessions": await identity.sessions.live(caller.user_id) if owns else [],
        "keys": (await identity.api_keys.page(caller, PageRequest(limit=_MOST_KEYS))).items if owns else [],
        "rights": sorted(caller.permissions),
        "factors": await identity.second_factors.own(caller.user_id) if caller.session_id and owns else None,
        "zone": caller.time_zone,
        "zones": zone_names(),
        "zone_problem": "",
        "errors": {},
        "problem": "",
        "key_problem": "",
        "done": "",
        "secret": "",
        "key": {"name": "", "days": 90, "permissions": frozenset()},
    }
    return page(request, caller, "pages/me/me.html", {**context, **shown}, status=status)
