"""Sign in, who am I, sign out."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from controlroom.foundation.http import PROBLEMS
from controlroom.identity.access import (
    PUBLIC,
    Guard,
    address_of,
    identity_of,
    permitted,
    request_id_of,
)
from controlroom.identity.caller import Caller
from controlroom.identity.cross_site import require_own_origin
from controlroom.identity.schemas import SignedInOut, SignInIn, WhoAmI
from controlroom.identity.sessions import Origin

router = APIRouter(tags=["session"], responses=PROBLEMS)


@router.post("/session", dependencies=[PUBLIC], status_code=201)
async def sign_in(request: Request, response: Response, body: SignInIn) -> SignedInOut:
    """Sign in with a name and a password; the answer sets the session's cookie."""
    identity = identity_of(request)
    require_own_origin(request, identity.public_url)
    signed_in = await identity.local.sign_in(
        name=body.name,
        password=body.password,
        origin=origin_of(request),
        replaces=identity.cookie.read(request),
    )
    identity.cookie.give(response, signed_in.token, lifetime_seconds=identity.sessions.lifetime_seconds)
    response.headers["Cache-Control"] = "no-store"
    known = await identity.authentication.by_session(signed_in.token)
    return SignedInOut(
        user_id=signed_in.user.id,
        name=signed_in.user.name,
        display_name=signed_in.user.display_name,
        permissions=sorted(known.permissions if known else ()),
        csrf_token=signed_in.session.csrf_token,
        expires_at=signed_in.session.expires_at,
    )


@router.get("/session")
async def who_am_i(response: Response, caller: Annotated[Caller, permitted(Guard.SIGNED_IN)]) -> WhoAmI:
    """Say who makes this request and what they may do."""
    response.headers["Cache-Control"] = "no-store"
    return WhoAmI.of(caller)


@router.delete("/session", status_code=204)
async def sign_out(
    request: Request, response: Response, caller: Annotated[Caller, permitted(Guard.SIGNED_IN)]
) -> None:
    """End the session and remove its cookie."""
    identity = identity_of(request)
    await identity.sessions.sign_out(caller)
    identity.cookie.take(response)


def origin_of(request: Request) -> Origin:
    """Return where a request comes from, as a session keeps it."""
    return Origin(address_of(request), request.headers.get("user-agent", ""), request_id_of(request))
