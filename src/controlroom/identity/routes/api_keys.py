"""API keys."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from controlroom.foundation.http import PROBLEMS, PageOut, PageQuery
from controlroom.identity.access import identity_of, permitted
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.schemas import ApiKeyOut, NewApiKeyIn, NewApiKeyOut, RotationIn

router = APIRouter(prefix="/api-keys", tags=["API keys"], responses=PROBLEMS)

Owner = Annotated[Caller, permitted(Permission.OWN_ACCOUNT)]


@router.get("")
async def list_api_keys(
    request: Request,
    caller: Owner,
    page: PageQuery,
    owner: Annotated[
        Literal["me", "anyone"], Query(description="`anyone` needs the right 'user.read'.")
    ] = "me",
) -> PageOut[ApiKeyOut]:
    """List API keys. Filter by name, user, created, expires, or free text."""
    found = await identity_of(request).api_keys.page(caller, page, everyones=owner == "anyone")
    return PageOut(items=[ApiKeyOut.of(key) for key in found.items], next_cursor=found.next_cursor)


@router.post("", status_code=201)
async def create_api_key(
    request: Request, response: Response, caller: Owner, body: NewApiKeyIn
) -> NewApiKeyOut:
    """Make a key with some of one's own rights; the answer shows its secret this once."""
    made = await identity_of(request).api_keys.create(
        caller,
        name=body.name,
        permissions=body.permissions,
        expires_at=body.expires_at,
        user_id=body.user_id,
    )
    response.headers["Location"] = f"/api/v1/api-keys/{made.key.id}"
    response.headers["Cache-Control"] = "no-store"
    return NewApiKeyOut(key=ApiKeyOut.of(made.key), secret=made.secret)


@router.post("/{key_id}/rotate", status_code=201)
async def rotate_api_key(
    request: Request, response: Response, caller: Owner, key_id: str, body: RotationIn
) -> NewApiKeyOut:
    """Make a key that takes another's place; both count until the overlap ends."""
    made = await identity_of(request).api_keys.rotate(
        caller, key_id, expires_at=body.expires_at, overlap=timedelta(hours=body.overlap_hours)
    )
    response.headers["Location"] = f"/api/v1/api-keys/{made.key.id}"
    response.headers["Cache-Control"] = "no-store"
    return NewApiKeyOut(key=ApiKeyOut.of(made.key), secret=made.secret)


@router.get("/{key_id}")
async def get_api_key(request: Request, caller: Owner, key_id: str) -> ApiKeyOut:
    """Return an API key of one's own; whoever may read users can see anyone's."""
    return ApiKeyOut.of(await identity_of(request).api_keys.get(caller, key_id))


@router.delete("/{key_id}", status_code=204)
async def revoke_api_key(request: Request, caller: Owner, key_id: str) -> None:
    """Revoke an API key of one's own, or of a user whom one may manage."""
    await identity_of(request).api_keys.revoke(caller, key_id)
