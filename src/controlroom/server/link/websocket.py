"""The WebSocket of a runner: one binary frame a message."""

import asyncio

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from controlroom.foundation.errors import ControlRoomError
from controlroom.foundation.telemetry import logger
from controlroom.protocol import wire
from controlroom.protocol.messages import FromRunner, Hello, Refused
from controlroom.server.link.access import DeviceCaller, hub_of
from controlroom.server.link.connection import Connection

router = APIRouter()

_HELLO_SECONDS = 10
_POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1
_TRY_AGAIN_LATER = 1013

log = logger("server.link.websocket")


@router.websocket(wire.LINK_PATH)
async def link(websocket: WebSocket, device: DeviceCaller) -> None:
    """Speak the runner protocol until either side ends it."""
    await websocket.accept()
    hub = hub_of(websocket)
    try:
        async with asyncio.timeout(_HELLO_SECONDS):
            hello = await _receive(websocket)
    except (TimeoutError, WebSocketDisconnect, wire.MalformedMessage):
        hello = None
    if not isinstance(hello, Hello):
        await _close(websocket, _POLICY_VIOLATION, "A connection opens with a hello.")
        return
    try:
        connection = await hub.greet(device, hello)
    except ControlRoomError as error:
        await _close(websocket, _TRY_AGAIN_LATER, error.title)
        return
    sending = asyncio.create_task(_send(websocket, connection))
    try:
        await _read(websocket, connection)
    finally:
        await hub.leave(connection)
        await asyncio.gather(sending, return_exceptions=True)


async def _read(websocket: WebSocket, connection: Connection) -> None:
    hub = hub_of(websocket)
    while True:
        try:
            message = await _receive(websocket)
        except (WebSocketDisconnect, RuntimeError):
            return
        except wire.MalformedMessage as error:
            log.warning("runner.malformed", device_id=connection.device_id, problem=str(error))
            connection.refuse(f"That is not a message of this protocol: {error}")
            return
        await hub.receive(connection, [message])


async def _receive(websocket: WebSocket) -> FromRunner:
    event = await websocket.receive()
    if event["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(event.get("code", 1005))
    data = event.get("bytes")
    if data is None:
        raise wire.MalformedMessage("a text frame instead of a binary one")
    return wire.decode_from_runner(data)


async def _send(websocket: WebSocket, connection: Connection) -> None:
    try:
        while (message := await connection.next_message()) is not None:
            await websocket.send_bytes(wire.encode(message))
    except (WebSocketDisconnect, RuntimeError):
        return
    await _close(websocket, 1000, "")


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    try:
        if code == _POLICY_VIOLATION:
            await websocket.send_bytes(wire.encode(Refused(reason, fatal=True)))
        await websocket.close(code, reason)
    except (WebSocketDisconnect, RuntimeError):
        return
