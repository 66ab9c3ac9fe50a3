"""The settings: what each is, where its value came from, and changing those that may change at run time."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request, Response

from controlroom.administration.api import live_settings_of
from controlroom.administration.consequences import NotConfirmed
from controlroom.foundation.errors import ControlRoomError, Invalid, PreconditionFailed
from controlroom.foundation.setting_sources import Source
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.navigation import ADMINISTRATION
from controlroom.web.rendering import go_to, page
from controlroom.web.revisions import made_from

router = APIRouter(include_in_schema=False)

PATH = f"{ADMINISTRATION}/settings"

SOURCES = {
    Source.DEFAULT: "Default",
    Source.FILE: "Settings file",
    Source.ENVIRONMENT: "Environment",
    Source.START: "Start of the server",
    Source.RUN_TIME: "Changed here",
}
_LONGEST_NUMBER = 12

Reader = Annotated[Caller, page_caller(Permission.SETTINGS_READ)]
SettingName = Annotated[str, Path(max_length=60)]
Confirmed = Annotated[str, Form(max_length=10)]
Revision = Annotated[int, Form(ge=0, le=2**31 - 1)]


@router.get(PATH)
async def settings(request: Request, caller: Reader) -> Response:
    """Show every setting; those that may change at run time first."""
    return await _show(request, caller)


@router.post(f"{PATH}/{{name}}")
async def change(
    *,
    request: Request,
    caller: Reader,
    name: SettingName,
    value: Annotated[str, Form(max_length=100)] = "",
    revision: Revision = 0,
    confirmed: Confirmed = "",
) -> Response:
    """Change a setting, unless someone else did meanwhile; ask first where that removes something for good."""
    try:
        await live_settings_of(request).change(
            caller,
            name,
            _number(value),
            check_revision=made_from(revision),
            is_confirmed=bool(confirmed),
        )
    except NotConfirmed as error:
        return await _show(request, caller, asks=error, failed=name, typed=value)
    except (Invalid, PreconditionFailed) as error:
        return await _show(request, caller, error=error, failed=name, typed=value)
    return go_to(request, PATH)


@router.post(f"{PATH}/{{name}}/put-back")
async def put_back(
    *,
    request: Request,
    caller: Reader,
    name: SettingName,
    revision: Revision = 0,
    confirmed: Confirmed = "",
) -> Response:
    """Put a setting back to what is read at the start."""
    try:
        await live_settings_of(request).change(
            caller, name, None, check_revision=made_from(revision), is_confirmed=bool(confirmed)
        )
    except NotConfirmed as error:
        return await _show(request, caller, asks=error, failed=name)
    except PreconditionFailed as error:
        return await _show(request, caller, error=error, failed=name)
    return go_to(request, PATH)


def _number(text: str) -> int:
    plain = text.strip().replace(",", "")
    if not (plain.isascii() and plain.isdigit()) or len(plain) > _LONGEST_NUMBER:
        raise Invalid("Write a whole number.")
    return int(plain)


async def _show(
    request: Request,
    caller: Caller,
    *,
    error: ControlRoomError | None = None,
    asks: NotConfirmed | None = None,
    failed: str = "",
    typed: str = "",
) -> Response:
    found = await live_settings_of(request).all(caller)
    context: dict[str, Any] = {
        "live": [each for each in found if each.changeable],
        "fixed": [each for each in found if not each.changeable],
        "sources": SOURCES,
        "may": {
            each.name: caller.may(each.changeable.permission) for each in found if each.changeable is not None
        },
        "failed": failed,
        "typed": typed,
        "problem": error.detail if error else "",
        "lost": asks.detail if asks else "",
    }
    status = error.status if error else 422 if asks else 200
    return page(request, caller, "pages/administration/settings/settings.html", context, status=status)
