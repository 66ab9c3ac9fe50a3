"""Users."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Request, Response

from controlroom.foundation.http import PROBLEMS, PageOut, PageQuery, require_match, set_etag
from controlroom.identity.access import identity_of, permitted
from controlroom.identity.caller import Caller
from controlroom.identity.models import User
from controlroom.identity.permissions import Permission
from controlroom.identity.schemas import (
    ListedUserOut,
    NewUserIn,
    PasswordGivenOut,
    PasswordResetIn,
    UserEditIn,
    UserOut,
)

router = APIRouter(tags=["users"], responses=PROBLEMS)

Reader = Annotated[Caller, permitted(Permission.USER_READ)]
UserManager = Annotated[Caller, permitted(Permission.USER_MANAGE)]

_EDIT_PROBLEMS: dict[int | str, dict[str, object]] = {
    412: {"description": "Someone changed this meanwhile"},
    428: {"description": "If-Match is missing"},
}


@router.get("/users")
async def list_users(request: Request, _caller: Reader, page: PageQuery) -> PageOut[ListedUserOut]:
    """List users. Filter by name, display_name, role, state (enabled, disabled), created, updated, or free text."""
    identity = identity_of(request)
    found = await identity.accounts.page(page)
    known = await identity.overviews.of([user.id for user in found.items])
    items = [ListedUserOut.listed(user, known[user.id]) for user in found.items]
    return PageOut(items=items, next_cursor=found.next_cursor)


@router.post("/users", status_code=201)
async def create_user(
    request: Request, response: Response, caller: UserManager, body: NewUserIn
) -> PasswordGivenOut:
    """Create a user; without a password one is made up and shown this once."""
    given = await identity_of(request).accounts.create(
        caller,
        name=body.name,
        roles=body.roles,
        display_name=body.display_name,
        password=body.password,
        kind=body.kind,
    )
    response.headers["Location"] = f"/api/v1/users/{given.user.id}"
    response.headers["Cache-Control"] = "no-store"
    return PasswordGivenOut(user=_shown(response, given.user), generated_password=given.generated)


@router.get("/users/{user_id}")
async def get_user(request: Request, response: Response, _caller: Reader, user_id: str) -> UserOut:
    """Return a user; the ETag is what an edit names."""
    return _shown(response, await identity_of(request).accounts.get(user_id))


@router.patch("/users/{user_id}", responses=_EDIT_PROBLEMS)
async def edit_user(
    request: Request, response: Response, caller: UserManager, user_id: str, body: UserEditIn
) -> UserOut:
    """Change a user's display name or roles, from the revision that If-Match names."""
    user = await identity_of(request).accounts.edit(
        caller,
        user_id,
        display_name=body.display_name,
        roles=body.roles,
        check_revision=partial(require_match, request),
    )
    return _shown(response, user)


@router.post("/users/{user_id}/disable")
async def disable_user(request: Request, response: Response, caller: UserManager, user_id: str) -> UserOut:
    """Keep a user out at once: their sessions end and their API keys no longer count."""
    return _shown(response, await identity_of(request).accounts.disable(caller, user_id))


@router.post("/users/{user_id}/enable")
async def enable_user(request: Request, response: Response, caller: UserManager, user_id: str) -> UserOut:
    """Let a disabled user in again."""
    return _shown(response, await identity_of(request).accounts.enable(caller, user_id))


@router.post("/users/{user_id}/reset-password")
async def reset_password(
    request: Request, response: Response, caller: UserManager, user_id: str, body: PasswordResetIn
) -> PasswordGivenOut:
    """Give another user a new password; their sessions end. Without one, one is made up and shown this once."""
    given = await identity_of(request).accounts.reset_password(caller, user_id, body.password)
    response.headers["Cache-Control"] = "no-store"
    return PasswordGivenOut(user=_shown(response, given.user), generated_password=given.generated)


def _shown(response: Response, user: User) -> UserOut:
    set_etag(response, user.revision)
    return UserOut.of(user)
