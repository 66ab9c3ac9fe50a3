"""The long poll: the same messages over plain requests, for where WebSockets do not pass."""

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from controlroom.foundation.errors import ControlRoomError, Invalid, TooLarge
from controlroom.foundation.ids import new_secret
from controlroom.protocol import wire
from controlroom.protocol.messages import Hello
from controlroom.server.link.access import DeviceCaller, Hub
from controlroom.server.link.connection import Connection

router = APIRouter()

LONGEST_WAIT_SECONDS = 50
_MOST_MESSAGES = 500
_SESSION_SECONDS = 75
"""A session without a poll for this long has ended; longer than the longest wait."""


class PollSessionGone(ControlRoomError):
    """The session is unknown or has ended; the runner begins a new one."""

    status = 410
    code = "poll_session_gone"
    title = "This poll session has ended"


class PollSessions:
    """The long-poll connections of this node, by the secret that their runner sends along."""

    def __init__(self) -> None:
        self._sessions: dict[str, Connection] = {}
        self._used: dict[str, float] = {}

    def open(self, connection: Connection) -> str:
        """Keep a connection and return its session."""
        session = new_secret("crs")
        self._sessions[session] = connection
        self._used[session] = time.monotonic()
        return session

    def find(self, session: str, device_id: str) -> Connection:
        """Return a session's connection; raise `PollSessionGone`."""
        connection = self._sessions.get(session)
        if connection is None or connection.device_id != device_id:
            raise PollSessionGone("Begin a new session with a hello.")
        self._used[session] = time.monotonic()
        return connection

    def take_ended(self) -> list[Connection]:
        """Remove the sessions that are closed or were not polled for too long, and return their connections."""
        limit = time.monotonic() - _SESSION_SECONDS
        ended = [
            name
            for name, found in self._sessions.items()
            if found.closed.is_set() or self._used[name] < limit
        ]
        for name in ended:
            del self._used[name]
        return [self._sessions.pop(name) for name in ended]


@router.post(wire.POLL_PATH, response_class=Response)
async def send(
    request: Request,
    device: DeviceCaller,
    hub: Hub,
    x_poll_session: Annotated[str, Header(max_length=200)] = "",
) -> Response:
    """Take messages of a runner; without a session they open with a hello and the answer names the session."""
    try:
        messages = wire.decode_many_from_runner(await _body(request))
    except wire.MalformedMessage as error:
        raise Invalid(f"That is not a list of messages of this protocol: {error}") from None
    sessions: PollSessions = request.app.state.poll_sessions
    headers: dict[str, str] = {}
    if x_poll_session:
        connection = sessions.find(x_poll_session, device.id)
    else:
        if not messages or not isinstance(messages[0], Hello):
            raise Invalid("A session opens with a hello.")
        connection = await hub.greet(device, messages.pop(0))  # type: ignore[arg-type]  # seen to be a hello above
        headers[wire.POLL_SESSION_HEADER] = sessions.open(connection)
    await hub.receive(connection, messages)
    waiting = await connection.messages_within(0.001, _MOST_MESSAGES) if headers else []
    return Response(wire.encode_many(waiting), media_type=wire.MEDIA_TYPE, headers=headers)


@router.get(wire.POLL_PATH, response_class=Response)
async def receive(
    request: Request,
    device: DeviceCaller,
    x_poll_session: Annotated[str, Header(max_length=200)],
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS)] = 25,
) -> Response:
    """Give what waits for a runner, or what comes within the wait; an empty list where nothing does."""
    sessions: PollSessions = request.app.state.poll_sessions
    connection = sessions.find(x_poll_session, device.id)
    messages = await connection.messages_within(wait, _MOST_MESSAGES)
    if not messages and connection.closed.is_set():
        raise PollSessionGone("The server closed this session; begin a new one with a hello.")
    return Response(wire.encode_many(messages), media_type=wire.MEDIA_TYPE)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > wire.MAXIMUM_FRAME_BYTES:
            raise TooLarge(f"A request may carry {wire.MAXIMUM_FRAME_BYTES:,} bytes of messages.")
    return bytes(body)


async def sweep_sessions(sessions: PollSessions, hub: Hub, every_seconds: float) -> None:
    """Take leave of sessions that are no longer polled, until cancelled."""
    while True:
        await asyncio.sleep(every_seconds)
        for connection in sessions.take_ended():
            await hub.leave(connection)
