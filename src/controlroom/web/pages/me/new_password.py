"""Choosing a password of one's own in place of one that was made up; nothing else is open before."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from controlroom.foundation.errors import Conflict, Invalid, TooManyRequests
from controlroom.identity.access import Guard, identity_of, page_caller
from controlroom.identity.caller import Caller
from controlroom.web.rendering import go_to, page

router = APIRouter(include_in_schema=False, prefix="/new-password")

Renewing = Annotated[Caller, page_caller(Guard.RENEWING)]
Password = Annotated[str, Form(max_length=1024)]


@router.get("")
async def new_password(request: Request, caller: Renewing) -> Response:
    """Ask for a password of one's own; who has one already goes to their account."""
    if not caller.must_change_password:
        return go_to(request, "/me")
    return _form(request, caller)


@router.post("")
async def choose(
    request: Request, caller: Renewing, current_password: Password = "", new_password: Password = ""
) -> Response:
    """Take the new password and go on."""
    if not caller.must_change_password:
        return go_to(request, "/me")
    identity = identity_of(request)
    try:
        token = await identity.local.change_password(caller, current=current_password, new=new_password)
    except (Invalid, TooManyRequests, Conflict) as error:
        errors = {field.pointer: field.message for field in error.fields}
        return _form(request, caller, errors, "" if errors else error.detail, status=error.status)
    response = go_to(request, "/")
    identity.cookie.give(response, token, lifetime_seconds=identity.sessions.lifetime_seconds)
    return response


def _form(
    request: Request,
    caller: Caller,
    errors: Mapping[str, str] | None = None,
    problem: str = "",
    *,
    status: int = 200,
) -> Response:
    context = {"errors": errors or {}, "problem": problem}
    return page(request, caller, "pages/me/new_password.html", context, status=status)
