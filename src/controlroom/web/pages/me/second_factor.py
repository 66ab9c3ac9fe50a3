"""One's own second factor: authenticator apps, passkeys and recovery codes."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from controlroom.foundation.errors import Conflict, ControlRoomError, Invalid, TooManyRequests
from controlroom.identity.access import ENROL_PATH, Guard, identity_of, page_caller, party_of
from controlroom.identity.caller import Caller
from controlroom.identity.enrolment import Enrolled
from controlroom.identity.errors import ConfirmationNeeded
from controlroom.identity.permissions import Permission
from controlroom.web.pages.sign_in.view import read_credential
from controlroom.web.rendering import go_to, page

router = APIRouter(include_in_schema=False, prefix=ENROL_PATH)

Enrolling = Annotated[Caller, page_caller(Guard.ENROLLING)]
Owner = Annotated[Caller, page_caller(Permission.OWN_ACCOUNT)]
Token = Annotated[str, Form(max_length=200)]
Name = Annotated[str, Form(max_length=100)]
FactorId = Annotated[str, Form(max_length=64)]


@router.get("")
async def second_factor(request: Request, caller: Enrolling) -> Response:
    """Show one's second factors and what can be done with them."""
    return await _show(request, caller)


@router.post("/confirm")
async def confirm(
    request: Request, caller: Enrolling, password: Annotated[str, Form(max_length=1024)] = ""
) -> Response:
    """Prove once more who one is, before changing how one signs in."""
    identity = identity_of(request)
    try:
        token = await identity.local.confirm(caller, password)
    except (Invalid, TooManyRequests, Conflict) as error:
        return await _show(request, caller, problem=error.detail, status=error.status)
    response = go_to(request, ENROL_PATH)
    identity.cookie.give(response, token, lifetime_seconds=identity.sessions.lifetime_seconds)
    return response


@router.post("/totp")
async def begin_totp(request: Request, caller: Enrolling) -> Response:
    """Offer a secret for an authenticator app."""
    try:
        offer = await identity_of(request).enrolment.begin_totp(caller)
    except (ConfirmationNeeded, Conflict) as error:
        return await _show(request, caller, problem=error.detail, status=error.status)
    return await _show(request, caller, offer=offer)


@router.post("/totp/confirm")
async def confirm_totp(
    request: Request,
    caller: Enrolling,
    token: Token,
    code: Annotated[str, Form(max_length=100)] = "",
    name: Name = "",
) -> Response:
    """Enrol the app by the code that it shows; a wrong one shows the same secret again."""
    enrolment = identity_of(request).enrolment
    try:
        enrolled = await enrolment.confirm_totp(caller, token=token, code=code, name=name)
    except (Invalid, Conflict, ConfirmationNeeded) as error:
        try:
            offer = await enrolment.offered_totp(caller, token)
        except ControlRoomError:
            return await _show(request, caller, problem=error.detail, status=error.status)
        errors = {field.pointer: field.message for field in error.fields}
        return await _show(request, caller, offer=offer, errors=errors, name=name, status=error.status)
    return await _enrolled(request, caller, enrolled)


@router.post("/passkey/confirm")
async def confirm_passkey(
    request: Request,
    caller: Enrolling,
    token: Token = "",
    credential: Annotated[str, Form(max_length=20_000)] = "",
    name: Name = "",
) -> Response:
    """Enrol the passkey that the page's script had the browser make."""
    try:
        made = read_credential(credential)
        if made is None:
            raise Invalid("A passkey needs a browser that runs scripts, and has passkeys.")
        enrolled = await identity_of(request).enrolment.confirm_passkey(
            caller, token=token, credential=made, party=party_of(request), name=name
        )
    except (Invalid, Conflict, ConfirmationNeeded) as error:
        return await _show(request, caller, problem=error.detail, name=name, status=error.status)
    return await _enrolled(request, caller, enrolled)


@router.post("/rename")
async def rename(request: Request, caller: Owner, factor: FactorId, name: Name = "") -> Response:
    """Give a factor another name."""
    try:
        await identity_of(request).second_factors.rename(caller, factor, name)
    except Invalid as error:
        return await _show(request, caller, problem=error.detail, status=error.status)
    return go_to(request, ENROL_PATH)


@router.post("/remove")
async def remove(request: Request, caller: Owner, factor: FactorId) -> Response:
    """Remove a factor."""
    try:
        await identity_of(request).second_factors.remove(caller, factor)
    except (ConfirmationNeeded, Conflict) as error:
        return await _show(request, caller, problem=error.detail, status=error.status)
    return go_to(request, ENROL_PATH)


@router.post("/recovery-codes")
async def make_recovery_codes(request: Request, caller: Owner) -> Response:
    """Make new recovery codes and show them this once."""
    try:
        codes = await identity_of(request).second_factors.make_recovery_codes(caller)
    except (ConfirmationNeeded, Conflict) as error:
        return await _show(request, caller, problem=error.detail, status=error.status)
    return await _show(request, caller, codes=codes)


async def _enrolled(request: Request, caller: Caller, enrolled: Enrolled) -> Response:
    identity = identity_of(request)
    done = f"{enrolled.factor.name} is enrolled. From now on you sign in with it after your password."
    response = await _show(request, caller, codes=enrolled.recovery_codes, done=done)
    identity.cookie.give(
        response, enrolled.session_token, lifetime_seconds=identity.sessions.lifetime_seconds
    )
    return response


async def _show(request: Request, caller: Caller, *, status: int = 200, **shown: Any) -> Response:
    factors = identity_of(request).second_factors
    own = await factors.own(caller.user_id) if caller.session_id else None
    context: dict[str, Any] = {
        "own": own,
        "is_recent": caller.session_id is not None and await factors.is_recent(caller),
        "offer": None,
        "codes": [],
        "errors": {},
        "problem": "",
        "done": "",
        "name": "",
    }
    return page(request, caller, "pages/me/second_factor.html", {**context, **shown}, status=status)
