"""Answers what open pages fetch by themselves: from a rendering that is there, or by one that is made for all alike.

A page's own fetch says ``X-Background: live`` and, in ``X-Live-Position``, up to which event it knows. A view that is
marked with `shared_live` (or `own_live`) answers it by the live part alone, rendered for whoever has these rights.
"""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Protocol, cast

from fastapi import Request, Response
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from controlroom.foundation.errors import ControlRoomError
from controlroom.identity.access import caller_of
from controlroom.identity.caller import Caller
from controlroom.identity.live_sessions import BACKGROUND_HEADER
from controlroom.web.live.budget import LiveBudget, Metered
from controlroom.web.live.parts import LiveParts, Part, PartKey, key_of

POSITION_HEADER = "x-live-position"
_LIVE = "live"
_LAST_POSITION = 2**63 - 1

View = Callable[..., Awaitable[Response]]


class Events(Protocol):
    """What is needed of the server's stream of events, in ``app.state.events``."""

    @property
    def position(self) -> int:
        """The newest position that this node has read."""

    @property
    def sight(self) -> int:
        """How often things were looked up anew that had come to lie in other places."""


def shared_live(view: View) -> View:
    """Let a page's view make its live part once for all who have the same rights; below ``@router.get``.

    The view must depend on nothing but its address, the caller's rights and time zone, and the reader's columns. It gets a
    caller who is nobody, so that it cannot show what is one person's.
    """
    return _live(view, by_person=False)


def own_live(view: View) -> View:
    """Let a page's view make its live part once for all open pages of one user, whom it may speak to."""
    return _live(view, by_person=True)


def _live(view: View, *, by_person: bool) -> View:
    @wraps(view)
    async def live(**given: Any) -> Response:
        request, caller = cast("Request", given["request"]), cast("Caller", given["caller"])
        known = known_position(request)
        if known is None:
            return await view(**given)
        parts, events = parts_of(request), events_of(request)

        async def render() -> Response:
            request.state.is_live_part = request.state.live_is_made = True
            return await view(**{**given, "caller": parts.anyone(caller, keeps_person=by_person)})

        key = _key(request, caller, caller.user_id if by_person else "")
        made = await parts.shared(key, known, lambda: events.position, render, request.scope.get("route"))
        if isinstance(made, Response):
            return made
        request.state.live_key = key
        return answer(request, parts, made, caller)

    return live


def answer(connection: HTTPConnection, parts: LiveParts, part: Part, caller: Caller) -> Response:
    """Return the part as one caller gets it; 304 where their page shows it already."""
    headers = {
        "Cache-Control": "no-store",
        "Vary": "Cookie",
        "ETag": part.etag,
        POSITION_HEADER: str(part.position),
    }
    if connection.headers.get("if-none-match") == part.etag:
        return Response(status_code=304, headers=headers)
    return Response(parts.body_for(part, caller), headers=headers, media_type=part.media_type)


class LiveAnswers:
    """Answers from renderings that are there before any route is looked for, and measures what open pages cost.

    That needs no right of its own: a rendering is there for a key because a route gave it to a caller with exactly these
    rights; everyone else goes on to the route.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        state = scope["app"].state
        if scope["type"] != "http" or scope["method"] != "GET" or not hasattr(state, "events"):
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["live_position"] = (
            state.events.position
        )  # before the view reads anything
        connection = HTTPConnection(scope)
        if connection.headers.get(BACKGROUND_HEADER) != _LIVE:
            await self._app(scope, receive, send)
            return
        work: Metered[bool] = Metered(self._answer(connection, scope, receive, send))
        was_there = await work
        budget = cast("LiveBudget", state.live_budget)
        made_by_another = "live_key" in scope["state"] and "live_is_made" not in scope["state"]
        if was_there or made_by_another:
            budget.answered(work.seconds)
        else:
            budget.rendered(_what(scope), work.seconds)

    async def _answer(self, connection: HTTPConnection, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer from what is there, and say so, or let the route answer."""
        known = known_position(connection)
        caller = None if known is None else await _caller(connection)
        if known is not None and caller is not None:
            parts = parts_of(connection)
            for person in ("", caller.user_id):
                part = parts.fresh(_key(connection, caller, person), known)
                if part is not None:
                    scope["route"] = part.route  # for what is measured of routes
                    await answer(connection, parts, part, caller)(scope, receive, send)
                    return True
        await self._app(scope, receive, send)
        return False


def known_position(connection: HTTPConnection) -> int | None:
    """Return up to which event a page that fetches its live part knows; None for any other request."""
    told = connection.headers.get(POSITION_HEADER, "")
    if connection.headers.get(BACKGROUND_HEADER) != _LIVE or not (told.isascii() and told.isdigit()):
        return None
    return int(told) if len(told) < 20 and int(told) <= _LAST_POSITION else None


def parts_of(connection: HTTPConnection) -> LiveParts:
    """Return the node's renderings."""
    return cast("LiveParts", connection.app.state.live_parts)


def events_of(connection: HTTPConnection) -> Events:
    """Return the node's stream of events."""
    return cast("Events", connection.app.state.events)


async def _caller(connection: HTTPConnection) -> Caller | None:
    try:
        caller = await caller_of(connection, is_use=False)
    except ControlRoomError:
        return None  # the route says what is wrong
    if caller is None or caller.must_enrol or caller.must_change_password:
        return None  # the route sends them to where that is done
    return caller


def _key(connection: HTTPConnection, caller: Caller, person: str) -> PartKey:
    return key_of(connection.url, connection.cookies, caller, events_of(connection).sight, person)


def _what(scope: Scope) -> object:
    """Return what a rendering was of: the part, or one page of one browser."""
    return scope["state"].get("live_key") or (scope["path"], scope["query_string"], str(scope.get("client")))
