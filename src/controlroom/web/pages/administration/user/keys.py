"""A user's API keys as an administrator handles them: made for a service account, rotated with overlap, revoked."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from controlroom.foundation.errors import Conflict, Forbidden, Invalid
from controlroom.identity.access import identity_of
from controlroom.identity.permissions import known_permissions
from controlroom.web.pages.administration.user.view import PATH, Manager, UserId, show_user
from controlroom.web.rendering import changed, now_of

router = APIRouter(include_in_schema=False, prefix=f"{PATH}/{{user_id}}/keys")

KeyId = Annotated[str, Form(max_length=64)]
Days = Annotated[int, Form(ge=1, le=365)]


@router.post("")
async def make_key(
    *,
    request: Request,
    caller: Manager,
    user_id: UserId,
    name: Annotated[str, Form(max_length=200)] = "",
    days: Days = 90,
    permission: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Make a key for a service account and show it this once."""
    wanted = known_permissions(permission or [])
    expires_at = now_of(request) + timedelta(days=days)
    try:
        made = await identity_of(request).api_keys.create(
            caller, name=name, permissions=wanted, expires_at=expires_at, user_id=user_id
        )
    except (Invalid, Conflict, Forbidden) as error:
        return await show_user(
            request, caller, user_id, key_problem=error.detail, status=error.status,
            errors={each.pointer: each.message for each in error.fields},
            key={"name": name, "days": days, "permissions": wanted},
        )  # fmt: skip
    return await show_user(request, caller, user_id, key_secret=made.secret)


@router.post("/rotate")
async def rotate_key(
    *,
    request: Request,
    caller: Manager,
    user_id: UserId,
    key: KeyId,
    days: Days = 90,
    overlap_hours: Annotated[int, Form(ge=0, le=24 * 30)] = 24,
) -> Response:
    """Make a key that takes another's place, and show it this once; the old one counts on for a while."""
    until, overlap = now_of(request) + timedelta(days=days), timedelta(hours=overlap_hours)
    try:
        made = await identity_of(request).api_keys.rotate(caller, key, expires_at=until, overlap=overlap)
    except (Invalid, Conflict, Forbidden) as error:
        return await show_user(request, caller, user_id, key_problem=error.detail, status=error.status)
    return await show_user(request, caller, user_id, key_secret=made.secret)


@router.post("/revoke")
async def revoke_key(request: Request, caller: Manager, user_id: UserId, key: KeyId) -> Response:
    """End a user's key."""
    await identity_of(request).api_keys.revoke(caller, key)
    return changed(request, f"{PATH}/{user_id}")
