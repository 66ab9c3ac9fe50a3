"""The form that asks for a run: made from the bot's schema, checked by the server, its errors at their fields.

Also the form that runs something again with changed inputs (``?repeats=<run>``).
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from controlroom.bots.file_inputs import MEGABYTE
from controlroom.bots.inputs import check_inputs
from controlroom.bots.lookup import manifest_of
from controlroom.bots.manifest import Manifest
from controlroom.bots.models import Bot, BotVersion
from controlroom.bots.rights import place_of
from controlroom.foundation.errors import ControlRoomError, FieldError, Invalid
from controlroom.foundation.paging import Page, PageRequest
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.runs.models import Run
from controlroom.runs.schemas import RepeatIn, RunIn
from controlroom.web.forms.fields import Control, FormField, Typed, lay_out
from controlroom.web.forms.reading import errors_by_pointer, read_values, typed_from, with_action
from controlroom.web.forms.shapes import has_conditions
from controlroom.web.rendering import go_to, page
from controlroom.web.services import bots_of, devices_of, input_files_of, runs_of

router = APIRouter(include_in_schema=False, prefix="/bots/{bot_id}/run")

_MOST_CHOICES = 200
CHECK, REFRESH = "check", "refresh"

Requester = Annotated[Caller, page_caller(Permission.RUN_REQUEST)]
BotId = Annotated[str, Path(max_length=200)]
Repeats = Annotated[str, Query(max_length=64)]

_OPTIONS = ("version", "task", "device", "pool", "labels", "priority", "timeout_minutes", "reason")


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be run: a bot's version, and the run that is repeated if one is."""

    bot: Bot
    version: BotVersion
    manifest: Manifest
    task: str
    repeats: Run | None

    @property
    def schema(self) -> Mapping[str, Any]:
        """The schema of the inputs."""
        return self.manifest.inputs_of(self.task)


@router.get("")
async def run_form(
    request: Request, caller: Requester, bot_id: BotId, repeats: Repeats = "", last: bool = False
) -> Response:
    """Show the form, with the schema's defaults, the inputs of the run that is repeated, or those given last."""
    subject = await _subject(request, caller, bot_id, repeats, {})
    values = subject.repeats.inputs if subject.repeats else {}
    if last and subject.repeats is None:
        before = await _last_run(request, caller, subject)
        values = before.inputs if before else {}
    shape = _shape(subject.schema)
    form = lay_out(shape, values={"": values} if shape is _FREE and values else values)
    options = {**dict.fromkeys(_OPTIONS, ""), "priority": "50", "version": str(subject.version.number)}
    return await _show(request, caller, subject, form, {**options, "key": secrets.token_hex(16)})


@router.post("")
async def ask(request: Request, caller: Requester, bot_id: BotId, repeats: Repeats = "") -> Response:
    """Ask for the run and go to it; show the form again, with all that was typed, where something does not fit."""
    typed = typed_from(await _posted(request))
    options = {name: _text(typed, name) for name in (*_OPTIONS, "key")}
    subject = await _subject(request, caller, bot_id, repeats, options)
    action = _text(typed, "_action")
    if action and action != CHECK:
        changed = with_action(typed, action)
        shape = _shape(subject.schema)
        form = lay_out(shape, values=read_values(shape, changed)[0], typed=changed)
        return await _show(request, caller, subject, form, options)
    inputs, problems = _inputs(subject, typed)
    try:
        if action == CHECK or problems:
            await asyncio.to_thread(check_inputs, dict(subject.schema), inputs)
            await input_files_of(request).check(caller, subject.schema, inputs, _repeated(subject))
        else:
            return go_to(request, f"/runs/{(await _request(request, caller, subject, inputs, options)).id}")
    except ControlRoomError as error:
        if not isinstance(error, Invalid) and error.status not in (409, 404):
            raise
        of_files = await _file_errors(request, caller, subject, inputs)
        errors = errors_by_pointer((*of_files, *error.fields), problems)
        summary = (
            ""
            if action == CHECK
            else error.detail
            if not error.fields
            else "Some values do not fit; see below."
        )
    else:
        errors, summary = problems, "" if action == CHECK else "Some values do not fit; see below."
    form = lay_out(_shape(subject.schema), values=inputs, typed=typed, errors=errors)
    status = 200 if action == CHECK else 422
    return await _show(request, caller, subject, form, options, errors=errors, summary=summary, status=status)


async def _file_errors(
    request: Request, caller: Caller, subject: Subject, inputs: Mapping[str, Any]
) -> tuple[FieldError, ...]:
    """Return what is wrong with files, so that it is said together with what is wrong with other fields."""
    try:
        await input_files_of(request).check(caller, subject.schema, inputs, _repeated(subject))
    except Invalid as error:
        return error.fields
    return ()


def _repeated(subject: Subject) -> str | None:
    return subject.repeats.id if subject.repeats else None


def _shape(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A bot that declares no inputs takes any; they are given as one JSON object then."""
    return schema if schema.get("properties") is not None or has_conditions(schema) else _FREE


_FREE: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "": {"title": "Inputs", "description": "This bot declares no inputs; it takes any object."}
    },
}


def _inputs(subject: Subject, typed: Typed) -> tuple[dict[str, Any], dict[str, str]]:
    values, problems = read_values(_shape(subject.schema), typed)
    if _shape(subject.schema) is not _FREE:
        return values, problems
    given = values.get("", {})
    if not isinstance(given, dict):
        problems["/inputs/"] = "must be an object, such as {}"
    return (given if isinstance(given, dict) else {}), problems


async def _request(
    request: Request, caller: Caller, subject: Subject, inputs: dict[str, Any], options: Mapping[str, str]
) -> Run:
    runs = runs_of(request)
    try:
        if subject.repeats is not None:
            wanted = RepeatIn(inputs=inputs, reason=options["reason"])
            return await runs.repeat(caller, subject.repeats.id, wanted)
        minutes = options["timeout_minutes"].strip()
        run_in = RunIn.model_validate(
            {
                "bot": subject.bot.id,
                "version": subject.version.number,
                "task": subject.task,
                "inputs": inputs,
                "device": options["device"] or None,
                "pool": options["pool"] or None,
                "labels": options["labels"].replace(",", " ").split(),
                "priority": options["priority"] or 50,
                "timeout_seconds": _seconds(minutes),
                "reason": options["reason"],
                "idempotency_key": options["key"] or None,
            }
        )
    except ValidationError as error:
        raise _invalid(error) from None
    run, _ = await runs.request(caller, run_in)
    return run


def _seconds(minutes: str) -> float | str | None:
    try:
        return float(minutes.replace(",", ".")) * 60 if minutes else None
    except ValueError:
        return minutes


def _invalid(error: ValidationError) -> Invalid:
    fields = []
    for item in error.errors():
        name = str(item["loc"][0])
        shown = "timeout_minutes" if name == "timeout_seconds" else name
        fields.append(FieldError(f"/{shown}", _PROBLEMS.get(name, item["msg"])))
    return Invalid("Some values do not fit.", fields=tuple(fields))


_PROBLEMS = {
    "labels": "has letters, digits and . _ : / - in each label; write blanks between them",
    "priority": "must be a whole number from 0 to 100",
    "timeout_seconds": "must be a number of minutes, more than 0 and at most 30 days",
    "reason": "has at most 500 characters",
}


async def _subject(
    request: Request, caller: Caller, bot_id: str, repeats: str, options: Mapping[str, str]
) -> Subject:
    bots = bots_of(request)
    repeated = await runs_of(request).get(caller, repeats) if repeats else None
    if repeated is not None:
        bot, version = await bots.get_version(caller, repeated.bot_id, repeated.version_number)
        caller.require(Permission.RUN_REQUEST, place_of(bot))
        return Subject(bot, version, manifest_of(version), repeated.task, repeated)
    view = await bots.get_bot(caller, bot_id)
    caller.require(Permission.RUN_REQUEST, place_of(view.bot))
    number = options.get("version", "")
    if number.isascii() and number.isdigit() and 0 < len(number) < 10:
        _, chosen = await bots.get_version(caller, view.bot.id, int(number))
    elif view.current is not None:
        chosen = view.current
    else:
        raise Invalid(f"The bot '{view.bot.name}' has no current version; choose one on its page first.")
    manifest = manifest_of(chosen)
    task = options.get("task", "")
    known = {each.name for each in manifest.tasks}
    return Subject(view.bot, chosen, manifest, task if task in known else manifest.default_task, None)


async def _show(
    request: Request,
    caller: Caller,
    subject: Subject,
    form: FormField,
    options: Mapping[str, str],
    *,
    errors: Mapping[str, str] | None = None,
    summary: str = "",
    status: int = 200,
) -> Response:
    errors = errors or {}
    shown = _pointers(form) | {f"/{name}" for name in _OPTIONS}
    context = {
        "subject": subject,
        "form": form,
        "options": options,
        "errors": errors,
        "elsewhere": [f"{pointer}: {message}" for pointer, message in errors.items() if pointer not in shown],
        "summary": summary,
        "files": await input_files_of(request).known(caller, _file_ids(form), _repeated(subject)),
        "file_limit_mb": input_files_of(request).limit_bytes / MEGABYTE,
        "last_run": None if subject.repeats else await _last_run(request, caller, subject),
        **await _choices(request, caller, subject),
    }
    return page(request, caller, "pages/run_form/run_form.html", context, status=status)


async def _last_run(request: Request, caller: Caller, subject: Subject) -> Run | None:
    """Return the newest run of the bot that the caller asked for, where they may see it."""
    if not caller.may(Permission.RUN_READ):
        return None
    asked = PageRequest(filter=f'bot:{subject.bot.id} "by:{caller.user_name}"', limit=1)
    found: Page[Run] = await runs_of(request).list(caller, asked)
    return found.items[0] if found.items else None


async def _choices(request: Request, caller: Caller, subject: Subject) -> dict[str, Any]:
    """Return what there is to choose from: versions in use, and the devices and pools that the caller may use."""
    if subject.repeats is not None:
        return {"versions": [], "devices": [], "pools": []}
    few = PageRequest(limit=_MOST_CHOICES)
    _, versions = await bots_of(request).list_versions(caller, subject.bot.id, few)
    devices, pools = await devices_of(request).usable(caller, most=_MOST_CHOICES)
    return {
        "versions": [version for version in versions.items if version.retired_at is None],
        "devices": devices,
        "pools": pools,
    }


def _file_ids(field: FormField) -> set[str]:
    if field.control is Control.FILE:
        return {field.value} if field.value else set()
    return set().union(*(_file_ids(child) for child in field.children))


def _pointers(field: FormField) -> set[str]:
    return {field.pointer}.union(*(_pointers(child) for child in field.children))


async def _posted(request: Request) -> list[tuple[str, str]]:
    form = await request.form(max_fields=20_000)
    return [(name, value) for name, value in form.multi_items() if not isinstance(value, UploadFile)]


def _text(typed: Typed, name: str) -> str:
    return next(iter(typed.texts.get(name, [])), "")
