"""Sign in, with a second step for who has a second factor, and out."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response

from controlroom.foundation.errors import ControlRoomError, Invalid, TooManyRequests, Unauthenticated
from controlroom.identity.access import (
    PUBLIC,
    SIGN_IN_PATH,
    Guard,
    caller_of,
    give_session,
    identity_of,
    origin_of,
    page_caller,
    party_of,
)
from controlroom.identity.caller import Caller
from controlroom.identity.challenges import LIFETIME
from controlroom.identity.cross_site import require_own_origin, safe_next
from controlroom.identity.errors import SignInEnded
from controlroom.identity.second_step import Answer, NextStep
from controlroom.web.rendering import go_to, page

router = APIRouter(include_in_schema=False)

SECOND_STEP_PATH = f"{SIGN_IN_PATH}/second-step"

_STEP_SECONDS = int(LIFETIME.total_seconds())

Next = Annotated[str, Form(max_length=2000)]


@router.get(SIGN_IN_PATH, dependencies=[PUBLIC])
async def sign_in_page(
    request: Request, next: Annotated[str, Query(max_length=2000)] = "/"
) -> Response:  # the field's name
    """Show the form; send who is signed in already to where they want to go."""
    if await caller_of(request) is not None:
        return go_to(request, safe_next(next))
    return _form(request, next)


@router.post(SIGN_IN_PATH, dependencies=[PUBLIC])
async def sign_in(
    request: Request,
    name: Annotated[str, Form(max_length=100)] = "",
    password: Annotated[str, Form(max_length=1024)] = "",
    next: Next = "/",  # the field's name
) -> Response:
    """Open a session and go on to where the person came from; say what is wrong with all that was typed kept."""
    identity = identity_of(request)
    require_own_origin(request, identity.public_url)
    try:
        signed_in = await identity.local.sign_in(
            name=name, password=password, origin=origin_of(request), replaces=identity.cookie.read(request)
        )
    except (Unauthenticated, TooManyRequests, Invalid) as error:
        return _form(request, next, name=name, error=error)
    if isinstance(signed_in, NextStep):
        response = await _second_step(request, signed_in.token, next)
        identity.step_cookie.give(response, signed_in.token, lifetime_seconds=_STEP_SECONDS)
        return response
    response = go_to(request, safe_next(next))
    give_session(request, response, signed_in)
    return response


@router.post(SECOND_STEP_PATH, dependencies=[PUBLIC])
async def finish_sign_in(
    request: Request,
    code: Annotated[str, Form(max_length=100)] = "",
    credential: Annotated[str, Form(max_length=20_000)] = "",
    next: Next = "/",  # the field's name
) -> Response:
    """Open the session with a second factor; begin again where that took too long or was tried too often."""
    identity = identity_of(request)
    require_own_origin(request, identity.public_url)
    token = identity.step_cookie.read(request) or ""
    try:
        signed_in = await identity.second_step.finish(
            token,
            Answer(code, read_credential(credential)),
            party=party_of(request),
            origin=origin_of(request),
            replaces=identity.cookie.read(request),
        )
    except SignInEnded as error:
        return _form(request, next, error=error)
    except (Unauthenticated, TooManyRequests, Invalid) as error:
        return await _second_step(request, token, next, error=error)
    response = go_to(request, safe_next(next))
    identity.step_cookie.take(response)
    give_session(request, response, signed_in)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, caller: Annotated[Caller, page_caller(Guard.RENEWING)]) -> Response:
    """End the session."""
    identity = identity_of(request)
    await identity.sessions.sign_out(caller)
    response = go_to(request, SIGN_IN_PATH)
    identity.cookie.take(response)
    return response


def read_credential(text: str) -> Mapping[str, Any] | None:
    """Return what a passkey gave the page's script, None for nothing; raise `Invalid` where it is no JSON object."""
    if not text:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Invalid("The passkey's answer cannot be read; try again.")
    return found


async def _second_step(
    request: Request, token: str, wanted: str, *, error: ControlRoomError | None = None
) -> Response:
    try:
        step, options = await identity_of(request).second_step.waiting(token, party_of(request))
    except SignInEnded as ended:
        return _form(request, wanted, error=ended)
    context = {
        "next": safe_next(wanted),
        "name": step.user.display_name or step.user.name,
        "kinds": step.kinds,
        "options": json.dumps(options) if options else "",
        "problem": error.detail if error else "",
    }
    status = error.status if error else 200
    return page(request, None, "pages/sign_in/second_step.html", context, status=status)


def _form(
    request: Request, wanted: str, *, name: str = "", error: ControlRoomError | None = None
) -> Response:
    problem = error.detail if error else ""
    context = {"next": safe_next(wanted), "name": name, "problem": problem}
    return page(request, None, "pages/sign_in/sign_in.html", context, status=error.status if error else 200)
