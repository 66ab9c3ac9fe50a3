"""Sign in and out."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from controlroom.foundation.errors import ControlRoomError, Invalid, TooManyRequests, Unauthenticated
from controlroom.identity.access import (
    PUBLIC,
    SIGN_IN_PATH,
    Guard,
    address_of,
    caller_of,
    identity_of,
    page_caller,
    request_id_of,
)
from controlroom.identity.caller import Caller
from controlroom.identity.cross_site import require_own_origin, safe_next
from controlroom.identity.sessions import Origin
from controlroom.web.rendering import go_to, page

router = APIRouter(include_in_schema=False)


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
    next: Annotated[str, Form(max_length=2000)] = "/",  # the field's name
) -> Response:
    """Open a session and go on to where the person came from; say what is wrong with all that was typed kept."""
    identity = identity_of(request)
    require_own_origin(request, identity.public_url)
    origin = Origin(address_of(request), request.headers.get("user-agent", ""), request_id_of(request))
    try:
        signed_in = await identity.local.sign_in(
            name=name, password=password, origin=origin, replaces=identity.cookie.read(request)
        )
    except (Unauthenticated, TooManyRequests, Invalid) as error:
        return _form(request, next, name=name, error=error)
    response = go_to(request, safe_next(next))
    identity.cookie.give(response, signed_in.token, lifetime_seconds=identity.sessions.lifetime_seconds)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, caller: Annotated[Caller, page_caller(Guard.SIGNED_IN)]) -> Response:
    """End the session."""
    identity = identity_of(request)
    await identity.sessions.sign_out(caller)
    response = go_to(request, SIGN_IN_PATH)
    identity.cookie.take(response)
    return response


def _form(
    request: Request, wanted: str, *, name: str = "", error: ControlRoomError | None = None
) -> Response:
    problem = error.detail if error else ""
    context = {"next": safe_next(wanted), "name": name, "problem": problem}
    return page(request, None, "pages/sign_in/sign_in.html", context, status=error.status if error else 200)
