"""The site file: declared and changed as text, with what would open and close before anything counts; its versions."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request, Response

from controlroom.foundation.errors import ControlRoomError, Invalid
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.network.site.starter import Answers, write_site
from controlroom.sites.errors import BadSiteText, NoSite
from controlroom.sites.service import LARGEST_SITE_CHARACTERS
from controlroom.web.pages.network.frame import network_page
from controlroom.web.rendering import go_to, is_htmx
from controlroom.web.services import sites_of

router = APIRouter(include_in_schema=False, prefix="/network/site")

TEMPLATE = "pages/network_site/network_site.html"

STARTS = {
    "one-server": ("One server", Answers(name="site", nodes=1, runners=2)),
    "balanced": ("Two servers behind a load balancer", Answers(name="site", nodes=2, runners=10)),
    "directory": (
        "Three servers with Active Directory",
        Answers(name="site", nodes=3, runners=20, identity="active-directory"),
    ),
}
"""Sites to begin with: the same answers to the questions of `controlroom network init`."""

_AROUND = 2

Reader = Annotated[Caller, page_caller(Permission.NETWORK_READ)]
Keeper = Annotated[Caller, page_caller(Permission.NETWORK_MANAGE)]
Text = Annotated[str, Form(max_length=2 * LARGEST_SITE_CHARACTERS)]
Note = Annotated[str, Form(max_length=200)]


@dataclass(frozen=True, slots=True)
class NumberedLine:
    """One line of the site as it was typed; ``at_fault`` is the one that cannot stand."""

    number: int
    text: str
    at_fault: bool


@router.get("")
async def site(
    request: Request,
    caller: Reader,
    start: Annotated[str, Query(max_length=40)] = "",
    version: Annotated[int, Query(ge=0, le=2_000_000_000)] = 0,
) -> Response:
    """Show the present text, that of an older version to go back to, or one to begin with."""
    if start in STARTS:
        return await _show(request, caller, {"text": write_site(STARTS[start][1])})
    if version:
        older = await sites_of(request).version(caller, version)
        return await _show(request, caller, {"text": older.text, "note": f"Back to version {version}"})
    return await _show(request, caller, {})


@router.post("/changes")
async def changes(
    *,
    request: Request,
    caller: Keeper,
    text: Text = "",
    note: Note = "",
    based_on: Annotated[int, Form(ge=0)] = 0,
) -> Response:
    """Say what the text would open and close; nothing is kept."""
    typed = {"text": text, "note": note, "based_on": based_on}
    try:
        found = await sites_of(request).what_would_change(caller, text.replace("\r\n", "\n"))
    except ControlRoomError as error:
        return await _show(request, caller, {**typed, "refusal": error})
    return await _show(request, caller, {**typed, "found": found})


@router.post("")
async def declare(
    *,
    request: Request,
    caller: Keeper,
    text: Text = "",
    note: Note = "",
    based_on: Annotated[int, Form(ge=0)] = 0,
) -> Response:
    """Declare the text and go to what it allows; show why where it cannot stand, with what was typed."""
    try:
        await sites_of(request).declare(caller, text, based_on=based_on, note=note)
    except ControlRoomError as error:
        typed = {"text": text, "note": note, "based_on": based_on}
        return await _show(request, caller, {**typed, "refusal": error})
    return go_to(request, "/network")


@router.get("/versions/{number}")
async def version(
    request: Request, caller: Reader, number: Annotated[int, Path(ge=1, le=2_000_000_000)]
) -> Response:
    """Show one version: what it opened and closed beside the one before, and its text."""
    sites = sites_of(request)
    shown = await sites.version(caller, number)
    found: dict[str, Any] | None = None
    refusal: ControlRoomError | None = None
    if number > 1:
        before = await sites.version(caller, number - 1)
        try:
            found = await sites.what_would_change(caller, shown.text, before=before.text)
        except Invalid as error:
            refusal = error
    newest = await sites.current(caller)
    context = {"version": shown, "found": found, "refusal": refusal, "is_present": newest.number == number}
    return network_page(request, caller, "pages/network_site/network_version.html", context)


def lines_around(text: str, line: int | None) -> list[NumberedLine]:
    """Return the line at fault with those around it, as people count lines."""
    if line is None:
        return []
    lines = text.splitlines()
    first, last = max(1, line - _AROUND), min(len(lines), line + _AROUND)
    return [NumberedLine(number, lines[number - 1], number == line) for number in range(first, last + 1)]


async def _show(request: Request, caller: Caller, known: dict[str, Any]) -> Response:
    sites = sites_of(request)
    try:
        present = await sites.current(caller)
    except NoSite:
        present = None
    refusal: ControlRoomError | None = known.get("refusal")
    fault = refusal.line if isinstance(refusal, BadSiteText) else None
    context = {
        "site": present,
        "text": present.text if present else "",
        "note": "",
        "based_on": present.number if present else 0,
        "found": None,
        "refusal": refusal,
        "starts": {name: title for name, (title, _) in STARTS.items()},
        "versions": await sites.versions(caller),
        "limit": LARGEST_SITE_CHARACTERS,
        **known,
    }
    context["fault_lines"] = lines_around(str(context["text"]), fault)
    status = 200 if refusal is None else 422 if is_htmx(request) else refusal.status
    return network_page(request, caller, TEMPLATE, context, status=status)
