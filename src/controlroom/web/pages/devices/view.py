"""The list of devices, and joining a new one."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from pydantic import ValidationError

from controlroom.devices.schemas import JoinTokenIn
from controlroom.identity.access import identity_of, page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.lists import ListQuery, listing
from controlroom.web.rendering import page
from controlroom.web.services import devices_of, joining_of

router = APIRouter(include_in_schema=False)

PATH = "/devices"
JOIN_PATH = "/devices/join"

Manager = Annotated[Caller, page_caller(Permission.DEVICE_MANAGE)]


@router.get(PATH)
async def devices(
    request: Request, caller: Annotated[Caller, page_caller(Permission.DEVICE_READ)], wanted: ListQuery
) -> Response:
    """Show a page of devices."""
    service = devices_of(request)
    found = await listing(PATH, wanted, lambda asked: service.list(caller, asked))
    taken = await service.taken_slots(caller)
    context = {"listing": found, "taken": taken}
    return page(request, caller, "pages/devices/devices.html", context, status=found.status)


@router.get(JOIN_PATH)
async def join_page(request: Request, caller: Manager) -> Response:
    """Show the form that makes a join token."""
    return page(request, caller, "pages/devices/join.html", _form())


@router.post(JOIN_PATH)
async def create_join_token(
    request: Request,
    caller: Manager,
    note: Annotated[str, Form(max_length=1000)] = "",
    labels: Annotated[str, Form(max_length=4000)] = "",
    valid_minutes: Annotated[str, Form(max_length=20)] = "60",
) -> Response:
    """Make a join token and show, this once, the command that uses it."""
    typed = {"note": note, "labels": labels, "valid_minutes": valid_minutes}
    try:
        wanted = JoinTokenIn.model_validate(
            {"note": note, "labels": labels.replace(",", " ").split(), "valid_minutes": valid_minutes}
        )
    except ValidationError as error:
        errors = {str(item["loc"][0]): _PROBLEMS[str(item["loc"][0])] for item in error.errors()}
        return page(request, caller, "pages/devices/join.html", _form(typed, errors), status=422)
    token, secret = await joining_of(request).create_token(caller, wanted)
    context = {**_form(), "token": token, "secret": secret, "address": _address(request)}
    return page(request, caller, "pages/devices/join.html", context)


_PROBLEMS = {
    "note": "A note has at most 200 characters.",
    "labels": "Labels have letters, digits and . _ : / - and begin with a letter or digit; write blanks between them.",
    "valid_minutes": "A token counts for 1 minute to 7 days (10080 minutes).",
}


def _form(values: dict[str, str] | None = None, errors: dict[str, str] | None = None) -> dict[str, object]:
    blank = {"note": "", "labels": "", "valid_minutes": "60"}
    return {"values": values or blank, "errors": errors or {}, "token": None, "secret": "", "address": ""}


def _address(request: Request) -> str:
    """Return the address under which a runner reaches this server."""
    return identity_of(request).public_url or f"{request.url.scheme}://{request.url.netloc}"
