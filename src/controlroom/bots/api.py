"""Routes of bots and their versions."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response, status
from fastapi.responses import FileResponse

from controlroom.bots.errors import PackageRefused
from controlroom.bots.schemas import (
    LARGEST_NUMBER,
    BotEditIn,
    BotOut,
    CheckOut,
    ComparisonOut,
    CurrentIn,
    FindingOut,
    PublishedOut,
    VersionDetailOut,
    VersionOut,
    bot_out,
    comparison_out,
    published_out,
    version_detail_out,
    version_out,
)
from controlroom.bots.service import BotService, Edit
from controlroom.foundation.http import (
    PROBLEM_MEDIA_TYPE,
    PROBLEMS,
    PageOut,
    PageQuery,
    require_match,
    set_etag,
)
from controlroom.identity.access import permitted
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission

router = APIRouter(prefix="/api/v1/bots", tags=["bots"], responses=PROBLEMS)

PACKAGE_MEDIA_TYPE = "application/zip"


def bot_service(request: Request) -> BotService:
    """Return the service that the server put into ``app.state.bots``."""
    return cast("BotService", request.app.state.bots)


Bots = Annotated[BotService, Depends(bot_service)]
Reader = Annotated[Caller, permitted(Permission.BOT_READ)]
Publisher = Annotated[Caller, permitted(Permission.BOT_PUBLISH)]
Manager = Annotated[Caller, permitted(Permission.BOT_MANAGE)]
BotReference = Annotated[
    str, Path(max_length=200, description="A bot's id, or its name where it has no namesake.")
]
Number = Annotated[int, Path(ge=1, le=LARGEST_NUMBER, description="A version's number.")]
NumberQuery = Annotated[int, Query(ge=1, le=LARGEST_NUMBER, description="A version's number.")]

_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_PACKAGE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The package: a zip of the bot's files.",
        "content": {PACKAGE_MEDIA_TYPE: _BINARY, "application/octet-stream": _BINARY},
    }
}


def _problem(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    openapi_extra=_PACKAGE_BODY,
    responses={
        200: {"model": PublishedOut, "description": "The bot had the same content before; nothing changed"},
        413: _problem("The package is larger than this server takes"),
    },
)
async def publish_bot(
    *,
    request: Request,
    response: Response,
    bots: Bots,
    caller: Publisher,
    name: Annotated[
        str, Query(max_length=200, description="The bot's name; empty for the one that the package declares.")
    ] = "",
    folder: Annotated[
        str, Query(max_length=400, description="The bot's folder; needed only where several hold the name.")
    ] = "",
    note: Annotated[str, Query(max_length=2000, description="What is new in this version.")] = "",
    make_current: Annotated[bool, Query(description="Whether this version is run from now on.")] = True,
    sha256: Annotated[
        str,
        Query(pattern="^([0-9a-fA-F]{64})?$", description="SHA-256 of the body; refused where it differs."),
    ] = "",
) -> PublishedOut:
    """Publish a package as a new version; the first version makes the bot.

    The same content is the same version: publishing it again changes nothing and answers 200.
    """
    if request.headers.get("content-type", "").startswith(
        ("multipart/", "application/x-www-form-urlencoded")
    ):
        raise PackageRefused("Send the zip itself as the request's body, not as a form.")
    length = request.headers.get("content-length", "")
    published = await bots.publish(
        caller,
        request.stream(),
        name=name,
        folder=folder,
        note=note,
        make_current=make_current,
        expected_sha256=sha256 or None,
        size_bytes=int(length) if length.isascii() and length.isdigit() else None,
    )
    response.status_code = status.HTTP_201_CREATED if published.created else status.HTTP_200_OK
    response.headers["Location"] = f"{router.prefix}/{published.bot.id}/versions/{published.version.number}"
    return published_out(published)


@router.post("/check", openapi_extra=_PACKAGE_BODY)
async def check_package(request: Request, bots: Bots, caller: Publisher) -> CheckOut:
    """Check a package as publishing would, and keep nothing of it."""
    report = await bots.check(caller, request.stream())
    findings = [FindingOut.model_validate(finding) for finding in report.findings]
    return CheckOut(
        passed=not report.errors, name=report.manifest.name if report.manifest else "", findings=findings
    )


@router.get("")
async def list_bots(bots: Bots, caller: Reader, page: PageQuery) -> PageOut[BotOut]:
    """List bots. Filters: `name`, `folder` (with those below it), `created`, `updated`; words look in names and texts."""
    found = await bots.list_bots(caller, page)
    return PageOut(items=[bot_out(view) for view in found.items], next_cursor=found.next_cursor)


@router.get("/{bot}")
async def get_bot(bots: Bots, caller: Reader, bot: BotReference, response: Response) -> BotOut:
    """Show a bot; the ETag is what an edit needs."""
    view = await bots.get_bot(caller, bot)
    set_etag(response, view.bot.revision)
    return bot_out(view)


@router.patch(
    "/{bot}",
    responses={
        412: _problem("Someone changed the bot since it was read"),
        428: _problem("If-Match is missing"),
    },
)
async def edit_bot(
    *,
    request: Request,
    response: Response,
    bots: Bots,
    caller: Manager,
    bot: BotReference,
    change: Annotated[BotEditIn, Body()],
) -> BotOut:
    """Change a bot's description, folder or limit. Send the ETag that was read as `If-Match`."""
    edit = Edit(change.description, change.folder, change.most_at_once)
    view = await bots.edit(
        caller, bot, edit, check_revision=lambda revision: require_match(request, revision)
    )
    set_etag(response, view.bot.revision)
    return bot_out(view)


@router.put("/{bot}/current")
async def set_current_version(
    response: Response, bots: Bots, caller: Manager, bot: BotReference, current: Annotated[CurrentIn, Body()]
) -> BotOut:
    """Choose the version that is run where none is named: roll back, or forth."""
    view = await bots.set_current(caller, bot, current.number)
    set_etag(response, view.bot.revision)
    return bot_out(view)


@router.get("/{bot}/compare")
async def compare_versions(
    bots: Bots, caller: Reader, bot: BotReference, before: NumberQuery, after: NumberQuery
) -> ComparisonOut:
    """Compare two versions file by file, with the changed lines of text files up to a bound."""
    return comparison_out(before, after, await bots.compare(caller, bot, before, after))


@router.get("/{bot}/versions")
async def list_versions(
    bots: Bots, caller: Reader, bot: BotReference, page: PageQuery
) -> PageOut[VersionOut]:
    """List a bot's versions, newest first. Filters: `number`, `format`, `published`, `published_by`, `sha256`."""
    owner, found = await bots.list_versions(caller, bot, page)
    items = [version_out(owner, version) for version in found.items]
    return PageOut(items=items, next_cursor=found.next_cursor)


@router.get("/{bot}/versions/{number}")
async def get_version(bots: Bots, caller: Reader, bot: BotReference, number: Number) -> VersionDetailOut:
    """Show a version with what its package declares."""
    return version_detail_out(*await bots.get_version(caller, bot, number))


@router.get(
    "/{bot}/versions/{number}/package",
    response_class=FileResponse,
    responses={
        200: {"content": {PACKAGE_MEDIA_TYPE: _BINARY}, "description": "The package"},
        206: {"content": {PACKAGE_MEDIA_TYPE: _BINARY}, "description": "The part that Range asks for"},
        416: {"description": "Range asks for what is not there"},
    },
)
async def download_package(bots: Bots, caller: Reader, bot: BotReference, number: Number) -> FileResponse:
    """Download a version's zip, as it was published."""
    owner, version, path = await bots.package_path(caller, bot, number)
    headers = {"ETag": f'"{version.sha256}"'}
    return FileResponse(
        path, media_type=PACKAGE_MEDIA_TYPE, filename=f"{owner.name}-{version.number}.zip", headers=headers
    )


@router.post("/{bot}/versions/{number}/retire")
async def retire_version(bots: Bots, caller: Manager, bot: BotReference, number: Number) -> VersionOut:
    """Keep a version from being run; the current one cannot be retired."""
    return version_out(*await bots.retire(caller, bot, number))


@router.post("/{bot}/versions/{number}/unretire")
async def unretire_version(bots: Bots, caller: Manager, bot: BotReference, number: Number) -> VersionOut:
    """Take a retired version back into use."""
    return version_out(*await bots.unretire(caller, bot, number))
