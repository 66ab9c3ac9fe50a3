"""One bot: what it is, its versions, its latest runs; choosing the version that is run, retiring versions."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request, Response

from controlroom.bots.lookup import manifest_of
from controlroom.bots.models import Bot
from controlroom.bots.rights import place_of
from controlroom.bots.schemas import MOST_AT_ONCE
from controlroom.bots.service import Edit
from controlroom.foundation.errors import Conflict, FieldError, Invalid, PreconditionFailed
from controlroom.foundation.paging import PageRequest
from controlroom.identity.access import identity_of, page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.lists import Listing, ListQuery
from controlroom.web.pages.bot.about import described, who_may
from controlroom.web.pages.bot.changes import shown_change
from controlroom.web.rendering import go_to, is_htmx, page
from controlroom.web.services import bots_of, runs_of

router = APIRouter(include_in_schema=False, prefix="/bots/{bot_id}")

_LATEST_RUNS = 10
_MOST_CHOICES = 200
_LARGEST_NUMBER = 2**31 - 1

Reader = Annotated[Caller, page_caller(Permission.BOT_READ)]
Manager = Annotated[Caller, page_caller(Permission.BOT_MANAGE)]
BotId = Annotated[str, Path(max_length=200)]
Number = Annotated[int, Form(ge=1, le=_LARGEST_NUMBER)]


@router.get("")
async def bot(request: Request, caller: Reader, bot_id: BotId, wanted: ListQuery) -> Response:
    """Show a bot."""
    service = bots_of(request)
    view = await service.get_bot(caller, bot_id)
    _, versions = await service.list_versions(caller, view.bot.id, wanted)
    runs = None
    at = place_of(view.bot)
    if caller.may(Permission.RUN_READ, at):
        latest = PageRequest(filter=f"bot:{view.bot.id}", limit=_LATEST_RUNS)
        runs = (await runs_of(request).list(caller, latest)).items
    manifest = manifest_of(view.current) if view.current else None
    context = {
        "view": view,
        "manifest": manifest,
        "inputs": described(manifest.inputs_of()) if manifest else [],
        "outputs": described(manifest.outputs) if manifest else [],
        "who_may": await who_may(identity_of(request).holders, caller, view.bot.id),
        "versions": Listing(f"/bots/{view.bot.id}", wanted, versions),
        "runs": runs,
        "may_manage": caller.may(Permission.BOT_MANAGE, at),
        "may_run": caller.may(Permission.RUN_REQUEST, at) and caller.may(Permission.DEVICE_USE),
    }
    return page(request, caller, "pages/bot/bot.html", context)


@router.get("/compare")
async def compare(
    request: Request,
    caller: Reader,
    bot_id: BotId,
    before: Annotated[int, Query(ge=0, le=_LARGEST_NUMBER)] = 0,
    after: Annotated[int, Query(ge=0, le=_LARGEST_NUMBER)] = 0,
) -> Response:
    """Compare two versions file by file: the newest with the one before it where none are named."""
    service = bots_of(request)
    view = await service.get_bot(caller, bot_id)
    _, versions = await service.list_versions(caller, view.bot.id, PageRequest(limit=_MOST_CHOICES))
    new = after or view.bot.latest_number
    old = before or max(new - 1, 1)
    found = await service.compare(caller, view.bot.id, old, new)
    context = {
        "bot": view.bot,
        "versions": versions.items,
        "before": old,
        "after": new,
        "files": [shown_change(change) for change in found.changes],
        "same_files": found.same_files,
        "is_complete": found.complete,
    }
    return page(request, caller, "pages/bot/compare.html", context)


@router.get("/edit")
async def edit_page(request: Request, caller: Manager, bot_id: BotId) -> Response:
    """Show the form that edits a bot."""
    bot = (await bots_of(request).get_bot(caller, bot_id)).bot
    caller.require(Permission.BOT_MANAGE, place_of(bot))
    return _edit_form(request, caller, bot, _typed(bot))


@router.post("/edit")
async def edit(
    *,
    request: Request,
    caller: Manager,
    bot_id: BotId,
    revision: Annotated[int, Form(ge=0, le=_LARGEST_NUMBER)],
    description: Annotated[str, Form(max_length=4000)] = "",
    folder: Annotated[str, Form(max_length=1000)] = "",
    most_at_once: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Change a bot; what another changed meanwhile is shown beside what was typed, and nothing is lost."""
    service = bots_of(request)
    typed = {"description": description, "folder": folder, "most_at_once": most_at_once}

    def check_revision(present: int) -> None:
        if present != revision:
            raise PreconditionFailed("Someone changed this bot while you edited it.")

    try:
        wanted = Edit(description.replace("\r\n", "\n"), folder, _limit(most_at_once))
        await service.edit(caller, bot_id, wanted, check_revision=check_revision)
    except PreconditionFailed:
        bot = (await service.get_bot(caller, bot_id)).bot
        return _edit_form(
            request, caller, bot, typed, present=_typed(bot), status=422 if is_htmx(request) else 412
        )
    except (Invalid, Conflict) as error:
        bot = (await service.get_bot(caller, bot_id)).bot
        errors = {field.pointer: field.message for field in error.fields}
        problem = "" if errors else error.detail
        return _edit_form(
            request,
            caller,
            bot,
            typed,
            revision=revision,
            errors=errors,
            problem=problem,
            status=error.status,
        )
    return go_to(request, f"/bots/{bot_id}")


def _typed(bot: Bot) -> dict[str, str]:
    return {
        "description": bot.description,
        "folder": bot.folder,
        "most_at_once": str(bot.most_at_once or ""),
    }


def _limit(text: str) -> int:
    """Read how many runs may be at once; an empty text takes the limit away."""
    plain = text.strip()
    if not plain:
        return 0
    if not (plain.isascii() and plain.isdigit() and 0 < int(plain) <= MOST_AT_ONCE):
        message = f"must be a whole number from 1 to {MOST_AT_ONCE:,}, or empty for no limit"
        raise Invalid(message, fields=(FieldError("/most_at_once", message),))
    return int(plain)


def _edit_form(
    request: Request,
    caller: Caller,
    bot: Bot,
    typed: Mapping[str, str],
    *,
    present: Mapping[str, str] | None = None,
    revision: int | None = None,
    errors: Mapping[str, str] | None = None,
    problem: str = "",
    status: int = 200,
) -> Response:
    context = {
        "bot": bot,
        "typed": typed,
        "present": present or {},
        "revision": bot.revision if revision is None else revision,
        "errors": errors or {},
        "problem": problem,
    }
    return page(request, caller, "pages/bot/edit.html", context, status=status)


@router.post("/current")
async def set_current(request: Request, caller: Manager, bot_id: BotId, number: Number) -> Response:
    """Choose the version that is run where none is named."""
    await bots_of(request).set_current(caller, bot_id, number)
    return go_to(request, f"/bots/{bot_id}")


@router.post("/retire")
async def retire(request: Request, caller: Manager, bot_id: BotId, number: Number) -> Response:
    """Keep a version from being run."""
    await bots_of(request).retire(caller, bot_id, number)
    return go_to(request, f"/bots/{bot_id}")


@router.post("/unretire")
async def unretire(request: Request, caller: Manager, bot_id: BotId, number: Number) -> Response:
    """Take a retired version back into use."""
    await bots_of(request).unretire(caller, bot_id, number)
    return go_to(request, f"/bots/{bot_id}")
