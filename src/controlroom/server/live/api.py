"""Routes of the live streams. A client that comes back names where it was, and misses and repeats nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any, cast

import msgspec
from fastapi import APIRouter, Header, Query, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from starlette.requests import HTTPConnection

from controlroom.foundation.bus import Bus
from controlroom.foundation.errors import ControlRoomError, NotFound
from controlroom.foundation.http import PROBLEMS
from controlroom.foundation.outbox import Event
from controlroom.identity.access import caller_of, permitted, permitted_websocket
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.runs.api import LAST_LINE
from controlroom.runs.log import LogQuery, log_topic
from controlroom.runs.schemas import LogOut
from controlroom.runs.service import RunService
from controlroom.server.live import sse
from controlroom.server.live.events import EventHub, Watch
from controlroom.server.live.gathering import Gathering
from controlroom.web.live.budget import LiveBudget

router = APIRouter(prefix="/api/v1", tags=["live"], responses=PROBLEMS)

Reader = Annotated[Caller, permitted(Permission.RUN_READ)]
SocketReader = Annotated[Caller, permitted_websocket(Permission.RUN_READ)]
Kinds = Annotated[
    str,
    Query(max_length=200, description="Kinds that begin so, with commas between, such as `run.,device.`."),
]
Subject = Annotated[str, Query(max_length=64, description="Only events about this id.")]
About = Annotated[str, Query(max_length=64, description="Only events that mention this id.")]
Gather = Annotated[
    bool,
    Query(
        description="For open pages: instead of each `change`, one `changes` for all of a short while, with the position "
        "up to which it tells and the milliseconds (`wait`) after which it is the page's turn to fetch itself."
    ),
]
LAST_POSITION = 2**63 - 1
After = Annotated[
    int | None,
    Query(ge=0, le=LAST_POSITION, description="Position to go on from; the present one where absent."),
]
First = Annotated[int, Query(ge=0, le=LAST_LINE, description="Line to begin with.")]
_STREAM_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {"content": {sse.MEDIA_TYPE: {"schema": {"type": "string"}}}}
}
LOOK_AGAIN_SECONDS = 5.0
"""How often a silent stream looks whether its session or key still counts; a change made through this node wakes it at
once. Below what proxies allow a stream to be silent for, so that it is the keep-alive too."""
_MISSED_WAKE_SECONDS = 2.0
_NO_LONGER_ALLOWED = 1008
"""Policy violation (RFC 6455 section 7.4.1)."""
_LINES_AT_ONCE = 1_000
_LastEventId = Annotated[str, Header(max_length=40, description="Sent by a browser that resumes.")]


@router.get("/events", responses=_STREAM_RESPONSE, response_class=StreamingResponse)
async def events(
    request: Request,
    _caller: Reader,
    kinds: Kinds = "",
    subject: Subject = "",
    after: After = None,
    about: About = "",
    gather: Gather = False,
    last_event_id: _LastEventId = "",
) -> StreamingResponse:
    """Stream what happens as server-sent events: `change` with its position as id, `reset` where a page must be loaded anew.

    With `gather`, `changes` takes the place of `change`: it says that something happened, and when to look.
    """
    watch = Watch(_prefixes(kinds), subject, about)
    start = _resume(last_event_id, after if after is not None else _hub(request).position)
    messages = _gathered_messages if gather else _event_messages
    return sse.stream(messages(request, watch, start))


@router.websocket("/events/ws")
async def events_websocket(
    websocket: WebSocket, _caller: SocketReader, kinds: Kinds = "", subject: Subject = "", after: After = None
) -> None:
    """Stream what happens, one JSON message an event."""
    await websocket.accept()
    hub = cast("EventHub", websocket.app.state.events)
    watch = Watch(_prefixes(kinds), subject)

    async def send() -> None:
        async for batch in hub.follow(
            after if after is not None else hub.position, idle_seconds=LOOK_AGAIN_SECONDS
        ):
            caller = await still_there(websocket, Permission.RUN_READ)
            if caller is None:
                await websocket.close(_NO_LONGER_ALLOWED)
                return
            for event in batch:
                if watch.wants(event, caller, hub.places.of(event)):
                    await websocket.send_text(msgspec.json.encode(_shown(event)).decode())
        await websocket.send_text('{"reset":true}')

    await _until_gone(websocket, send())


@router.get("/attempts/{attempt_id}/log/stream", responses=_STREAM_RESPONSE, response_class=StreamingResponse)
async def log_stream(
    request: Request, caller: Reader, attempt_id: str, first: First = 0, last_event_id: _LastEventId = ""
) -> StreamingResponse:
    """Stream a log as it grows: `lines` with the next line's number as id, and `end` after the last."""
    runs = cast("RunService", request.app.state.runs)
    await runs.attempt(caller, attempt_id)
    start = min(_resume(last_event_id, first), LAST_LINE)

    async def messages() -> AsyncIterator[bytes]:
        async for part in _log_parts(request, attempt_id, start):
            yield sse.KEEP_ALIVE if part is None else _log_message(part)

    return sse.stream(messages())


@router.websocket("/attempts/{attempt_id}/log/ws")
async def log_websocket(
    websocket: WebSocket, caller: SocketReader, attempt_id: str, first: First = 0
) -> None:
    """Stream a log as it grows, one JSON message a stretch of lines."""
    runs = cast("RunService", websocket.app.state.runs)
    await runs.attempt(caller, attempt_id)
    await websocket.accept()

    async def send() -> None:
        is_complete = False
        async for part in _log_parts(websocket, attempt_id, first):
            if part is not None:
                await websocket.send_text(part.model_dump_json())
                is_complete = part.complete
        if not is_complete:
            await websocket.close(_NO_LONGER_ALLOWED)

    await _until_gone(websocket, send())


async def still_there(connection: HTTPConnection, permission: Permission) -> Caller | None:
    """Return who watches, with the rights that they have now; None where they lost the right or their session ended.

    A stream may stay open for hours, so it asks again at each step; that is remembered for seconds, and no use of the
    session, whose idle time runs on.
    """
    with suppress(ControlRoomError):
        caller = await caller_of(connection, is_use=False)
        return caller if caller is not None and caller.may(permission) else None
    return None


async def _event_messages(request: Request, watch: Watch, after: int) -> AsyncIterator[bytes]:
    hub = _hub(request)
    yield sse.message("hello", {"position": after}, position=after)
    async for batch in hub.follow(after, idle_seconds=LOOK_AGAIN_SECONDS):
        caller = await still_there(request, Permission.RUN_READ)
        if caller is None:
            return
        if not batch:
            yield sse.KEEP_ALIVE
        for event in batch:
            if watch.wants(event, caller, hub.places.of(event)):
                yield sse.message("change", _shown(event), position=event.position)
    yield sse.message("reset", {})


async def _gathered_messages(request: Request, watch: Watch, after: int) -> AsyncIterator[bytes]:
    gathering = cast("Gathering", request.app.state.gathering)
    budget = cast("LiveBudget", request.app.state.live_budget)
    yield sse.message("hello", {"position": after}, position=after)
    with budget.open_page():
        is_first = True  # what happened between the page's rendering and now is told at once
        while True:
            turn, position = gathering.turn, gathering.position
            caller = await still_there(request, Permission.RUN_READ)
            if caller is None:
                return
            if position > after or is_first:
                concerns = await gathering.concerns(watch, caller, after)
                if concerns is None:
                    break
                is_first, after = False, max(after, position)
                if concerns:
                    told = {"position": after, "wait": round(budget.turn() * 1000)}
                    yield sse.message("changes", told, position=after)
                    continue
            if not await _within(LOOK_AGAIN_SECONDS, turn):
                yield sse.KEEP_ALIVE
    yield sse.message("reset", {})


async def _within(seconds: float, turn: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await turn.wait()
    except TimeoutError:
        return False
    return True


async def _log_parts(connection: HTTPConnection, attempt_id: str, first: int) -> AsyncIterator[LogOut | None]:
    bus, runs = cast("Bus", connection.app.state.bus), cast("RunService", connection.app.state.runs)
    async with bus.subscribe(log_topic(attempt_id)) as subscription:
        silent_seconds = 0.0
        while True:
            caller = await still_there(connection, Permission.RUN_READ)
            if caller is None:
                return
            try:
                part = await runs.log(caller, attempt_id, LogQuery(first=first, limit=_LINES_AT_ONCE))
            except NotFound:  # the right to it was taken since
                return
            if part.lines or part.complete:
                first = part.lines[-1].line + 1 if part.lines else first
                silent_seconds = 0.0
                yield part
            if part.complete:
                return
            if len(part.lines) < _LINES_AT_ONCE:
                woken = await subscription.wait(_MISSED_WAKE_SECONDS)
                silent_seconds += 0 if woken else _MISSED_WAKE_SECONDS
            if silent_seconds >= sse.KEEP_ALIVE_SECONDS:
                silent_seconds = 0.0
                yield None


def _log_message(part: LogOut) -> bytes:
    position = part.lines[-1].line + 1 if part.lines else part.total_lines
    return sse.message("end" if part.complete else "lines", part.model_dump(mode="json"), position=position)


async def _until_gone(websocket: WebSocket, sending: Any) -> None:
    """Send until the other side leaves; what it says is not listened to."""
    task = asyncio.ensure_future(sending)
    leaving = asyncio.ensure_future(_wait_until_gone(websocket))
    await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
    for each in (task, leaving):
        each.cancel()
    await asyncio.gather(task, leaving, return_exceptions=True)
    with suppress(RuntimeError, WebSocketDisconnect):
        await websocket.close()


async def _wait_until_gone(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


def _hub(request: Request) -> EventHub:
    return cast("EventHub", request.app.state.events)


def _shown(event: Event) -> dict[str, Any]:
    return {
        "position": event.position,
        "time": event.time.isoformat(),
        "kind": event.kind,
        "subject": event.subject,
        "data": event.data,
    }


def _prefixes(kinds: str) -> tuple[str, ...]:
    return tuple(kind for kind in kinds.split(",") if kind)


def _resume(last_event_id: str, start: int) -> int:
    return (
        int(last_event_id)
        if last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 19
        else start
    )
