"""Turns templates into answers: what every page knows of its caller, its theme and its address."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.responses import RedirectResponse

from controlroom.bots.formats import title_of
from controlroom.identity.caller import Caller
from controlroom.web import wording
from controlroom.web.assets import WEB_FOLDER, Assets
from controlroom.web.navigation import menu_of, sections_of
from controlroom.web.theme import Theme

THEME_COOKIE = "controlroom_theme"
NARROW_COOKIE = "controlroom_menu"


def make_environment(assets: Assets) -> Environment:
    """Return the template environment: everything is escaped, and a name that is not there is an error."""
    environment = Environment(
        loader=FileSystemLoader(WEB_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals["static"] = assets.url
    filters = (
        "duration",
        "size",
        "count",
        "short_id",
        "browser_name",
        "as_json",
        "state_face",
        "presence_face",
        "mode_face",
    )
    environment.filters.update({name: getattr(wording, name) for name in filters})
    environment.filters["format_title"] = title_of
    environment.filters["exact"] = _exact_for_reader
    environment.globals["relative"] = wording.relative
    return environment


@pass_context
def _exact_for_reader(context: Context, moment: datetime) -> str:
    """Return a moment to the second in the time zone that the reader chose, in UTC where they chose none."""
    reader = context.get("who")
    return wording.exact(moment, reader.time_zone if reader else "")


def page(
    request: Request,
    caller: Caller | None,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
) -> Response:
    """Return a page, or the part of one, made of a template such as ``pages/bots/bots.html``."""
    environment: Environment = request.app.state.templates
    known = {**frame(request, caller), **(context or {})}
    html = environment.get_template(template).render(known)
    return HTMLResponse(html, status, headers={"Cache-Control": "no-store", "Vary": "Cookie, HX-Request"})


def frame(request: Request, caller: Caller | None) -> dict[str, Any]:
    """Return what the shell around every page shows."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    is_live_part = bool(getattr(request.state, "is_live_part", False))
    return {
        "who": caller,  # a macro's own `caller` means its call block
        "menu": menu_of(caller) if caller and not is_live_part else [],
        "sections": sections_of(caller) if caller else [],
        "is_live_part": is_live_part,
        "live_position": getattr(request.state, "live_position", ""),
        "path": request.url.path,
        "theme": chosen if chosen in tuple(Theme) else Theme.SYSTEM.value,
        "menu_is_narrow": request.cookies.get(NARROW_COOKIE) == "narrow",
        "now": now_of(request),
        "request_id": str(getattr(request.state, "request_id", "")),
    }


def now_of(request: Request) -> datetime:
    """Return the present moment by the node's clock."""
    clock = getattr(request.app.state, "clock", None)
    now: datetime = clock.now() if clock is not None else datetime.now(UTC)
    return now


def go_to(request: Request, location: str) -> Response:
    """Send the browser to another page after a change (303), htmx by its own header."""
    if is_htmx(request):
        return Response(status_code=204, headers={"HX-Redirect": location})
    return RedirectResponse(location, 303)


def changed(request: Request, location: str) -> Response:
    """Answer a change that the page it was asked from shows by itself; without script, go to the page."""
    if is_htmx(request):
        return Response(status_code=204, headers={"HX-Trigger": "controlroom:changed"})
    return RedirectResponse(location, 303)


def is_htmx(request: Request) -> bool:
    """Say whether a script of ours asks, which takes parts of pages."""
    return "hx-request" in request.headers
