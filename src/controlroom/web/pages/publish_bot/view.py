"""Publishing a bot by dropping its zip: checked first, with what the check found, and published on a second word."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response, UploadFile

from controlroom.bots.errors import UploadTooLarge
from controlroom.foundation.errors import Conflict, ControlRoomError, Invalid
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.rendering import go_to, is_htmx, page
from controlroom.web.services import bots_of

router = APIRouter(include_in_schema=False, prefix="/bots/publish")

_PIECE_BYTES = 256 * 1024

Publisher = Annotated[Caller, page_caller(Permission.BOT_PUBLISH)]
Text = Annotated[str, Form(max_length=2000)]


@router.get("")
async def publish_page(request: Request, caller: Publisher) -> Response:
    """Show where to drop a package."""
    return _show(request, caller, {})


@router.post("/check")
async def check(request: Request, caller: Publisher, package: UploadFile) -> Response:
    """Say what the check finds in a package; nothing of it is kept."""
    try:
        report = await bots_of(request).check(caller, _pieces(package))
    except (Invalid, UploadTooLarge) as error:
        return _show(request, caller, {"refusal": error}, status=_status(request, error))
    return _show(request, caller, {"report": report, "file_name": package.filename or "package.zip"})


@router.post("")
async def publish(
    *,
    request: Request,
    caller: Publisher,
    package: UploadFile,
    name: Text = "",
    folder: Text = "",
    note: Text = "",
    make_current: Text = "",
) -> Response:
    """Publish a package and go to its bot; show why where it is refused, with what was typed."""
    typed = {"name": name, "folder": folder, "note": note}
    try:
        published = await bots_of(request).publish(
            caller,
            _pieces(package),
            name=name.strip(),
            folder=folder.strip(),
            note=note.strip(),
            make_current=bool(make_current),
            size_bytes=package.size,
        )
    except (Invalid, Conflict, UploadTooLarge) as error:
        return _show(request, caller, {"refusal": error, "typed": typed}, status=_status(request, error))
    return go_to(request, f"/bots/{published.bot.id}")


def _status(request: Request, error: ControlRoomError) -> int:
    """Return the status of a refusal; htmx takes a part of a page with 422 and no other error."""
    return 422 if is_htmx(request) else error.status


async def _pieces(package: UploadFile) -> AsyncIterator[bytes]:
    while piece := await package.read(_PIECE_BYTES):
        yield piece


def _show(request: Request, caller: Caller, known: dict[str, Any], *, status: int = 200) -> Response:
    refusal: ControlRoomError | None = known.get("refusal")
    context = {
        "report": None,
        "refusal": refusal,
        "file_name": "",
        "typed": {"name": "", "folder": "", "note": ""},
        "limit_bytes": bots_of(request).limits.packed_bytes,
        **known,
    }
    return page(request, caller, "pages/publish_bot/publish_bot.html", context, status=status)
