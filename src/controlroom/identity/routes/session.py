"""Sign in, who am I, sign out."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from controlroom.foundation.http import PROBLEMS
from controlroom.identity.access import (
    PUBLIC,
    Guard,
    give_session,
    identity_of,
    origin_of,
    party_of,
    permitted,
)
from controlroom.identity.caller import Caller
from controlroom.identity.challenges import LIFETIME
from controlroom.identity.cross_site import require_own_origin
from controlroom.identity.factor_schemas import NextStepOut, SecondStepIn
from controlroom.identity.schemas import SignedInOut, SignInIn, WhoAmI
from controlroom.identity.second_step import Answer, NextStep
from controlroom.identity.sessions import SignedIn

STEP_SECONDS = int(LIFETIME.total_seconds())

router = APIRouter(tags=["session"], responses=PROBLEMS)


@router.post(
    "/session",
    dependencies=[PUBLIC],
    status_code=201,
    responses={
        202: {"model": NextStepOut, "description": "The password is right; a second factor is needed"}
    },
)
async def sign_in(request: Request, response: Response, body: SignInIn) -> SignedInOut | NextStepOut:
    """Sign in with a name and a password; the answer sets the session's cookie.

    Who has a second factor gets 202 and a cookie for the second step, which `/session/second-step` finishes.
    """
    identity = identity_of(request)
    require_own_origin(request, identity.public_url)
    signed_in = await identity.local.sign_in(
        name=body.name,
        password=body.password,
        origin=origin_of(request),
        replaces=identity.cookie.read(request),
    )
    response.headers["Cache-Control"] = "no-store"
    if isinstance(signed_in, NextStep):
        identity.step_cookie.give(response, signed_in.token, lifetime_seconds=STEP_SECONDS)
        response.status_code = 202
        return NextStepOut.of(*await identity.second_step.waiting(signed_in.token, party_of(request)))
    return await _signed_in(request, response, signed_in)


@router.post("/session/second-step", dependencies=[PUBLIC], status_code=201)
async def finish_sign_in(request: Request, response: Response, body: SecondStepIn) -> SignedInOut:
    """Finish signing in with a second factor or a recovery code; the answer sets the session's cookie."""
    identity = identity_of(request)
    require_own_origin(request, identity.public_url)
    signed_in = await identity.second_step.finish(
        identity.step_cookie.read(request) or "",
        Answer(body.code, body.credential),
        party=party_of(request),
        origin=origin_of(request),
        replaces=identity.cookie.read(request),
    )
    response.headers["Cache-Control"] = "no-store"
    identity.step_cookie.take(response)
    return await _signed_in(request, response, signed_in)


async def _signed_in(request: Request, response: Response, signed_in: SignedIn) -> SignedInOut:
    give_session(request, response, signed_in)
    known = await identity_of(request).authentication.by_session(signed_in.token)
    return SignedInOut(
        user_id=signed_in.user.id,
        name=signed_in.user.name,
        display_name=signed_in.user.display_name,
        permissions=sorted(known.permissions if known else ()),
        must_enrol=known is not None and known.must_enrol,
        must_change_password=known is not None and known.must_change_password,
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
