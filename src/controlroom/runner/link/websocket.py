"""The WebSocket transport: one message a binary frame (RFC 6455), compression off, as logs are many and small."""

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidProxy,
    InvalidStatus,
    ProxyError,
    WebSocketException,
)

from controlroom import __version__
from controlroom.protocol.messages import FromServer, Hello, Welcome
from controlroom.protocol.wire import LINK_PATH, MAXIMUM_FRAME_BYTES, encode
from controlroom.runner.link.address import ControlRoomAddress, proxy_for, tls_context
from controlroom.runner.link.transport import (
    Connection,
    LinkError,
    LinkLost,
    RunnerRefused,
    TransportBlocked,
    decode_messages,
    expect_welcome,
)

_PING_SECONDS = 20
_CLOSE_SECONDS = 2
_CLOSED_FOR_KEY = frozenset({4401, 4403})  # private close codes after the HTTP statuses
_MAYBE_STARTING = frozenset({429, 500, 502, 503, 504})  # what a load balancer says while no node is up


class WebSocketTransport:
    """Opens WebSocket connections, through a proxy's CONNECT where there is one."""

    name = "websocket"

    def __init__(self, address: ControlRoomAddress, *, welcome_seconds: float) -> None:
        self._address = address
        self._welcome_seconds = welcome_seconds

    async def open(self, hello: Hello) -> tuple[Connection, Welcome]:
        """Connect and introduce the runner.

        Raises `TransportBlocked` where the upgrade is answered with anything but 101, or no welcome comes through it.
        """
        socket = await self._connect()
        connection = _WebSocketConnection(socket)
        try:
            return connection, await self._introduce(socket, hello)
        except BaseException:
            await connection.close()
            raise

    async def _connect(self) -> ClientConnection:
        url = self._address.websocket(LINK_PATH)
        options: dict[str, Any] = {"ssl": tls_context()} if url.startswith("wss:") else {}
        try:
            return await connect(
                url,
                additional_headers=self._address.headers,
                user_agent_header=f"controlroom-runner/{__version__}",
                compression=None,
                max_size=MAXIMUM_FRAME_BYTES,
                proxy=proxy_for(url),
                open_timeout=self._welcome_seconds,
                ping_interval=_PING_SECONDS,
                ping_timeout=_PING_SECONDS,
                close_timeout=_CLOSE_SECONDS,
                **options,
            )
        except (OSError, WebSocketException, EOFError) as error:
            raise _explain(error) from error

    async def _introduce(self, socket: ClientConnection, hello: Hello) -> Welcome:
        try:
            async with asyncio.timeout(self._welcome_seconds):
                await socket.send(encode(hello))
                while not (messages := decode_messages([_bytes(await socket.recv())])):
                    pass
        except TimeoutError:
            raise TransportBlocked(
                "The WebSocket opened, but nothing came back through it.", certain=False
            ) from None
        except ConnectionClosed as closed:
            if closed.rcvd is not None and closed.rcvd.code in _CLOSED_FOR_KEY:
                raise RunnerRefused(
                    f"The Control Room refuses this runner's key. {closed.rcvd.reason}"
                ) from None
            raise TransportBlocked("The WebSocket closed before the welcome.", certain=False) from None
        return expect_welcome(messages[0])


class _WebSocketConnection:
    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send(self, messages: Sequence[bytes]) -> None:
        try:
            for message in messages:
                await self._socket.send(message)
        except ConnectionClosed as closed:
            raise _lost(closed) from None

    async def receive(self) -> Sequence[FromServer]:
        try:
            while not (messages := decode_messages([_bytes(await self._socket.recv())])):
                pass
        except ConnectionClosed as closed:
            raise _lost(closed) from None
        return messages

    async def close(self) -> None:
        await self._socket.close()


def _explain(error: Exception) -> LinkError:
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return TransportBlocked(
            f"The WebSocket upgrade was answered with {status}.", certain=status not in _MAYBE_STARTING
        )
    if isinstance(error, ProxyError):
        return LinkLost(f"The proxy does not let the runner through: {error}.")
    if isinstance(error, InvalidProxy):  # its text holds the proxy's address and perhaps its password
        return LinkLost(
            "The proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names cannot be used: mend its address."
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return LinkLost(
            f"The Control Room's certificate is not trusted by this machine: {error.verify_message}."
        )
    if isinstance(error, InvalidHandshake | EOFError | TimeoutError):
        return TransportBlocked(f"The WebSocket upgrade did not go through: {error}.", certain=False)
    return LinkLost(f"The Control Room cannot be reached: {error}.")


def _lost(closed: ConnectionClosed) -> LinkError:
    if closed.rcvd is not None and closed.rcvd.code in _CLOSED_FOR_KEY:
        return RunnerRefused(
            f"The Control Room closed the connection: {closed.rcvd.reason or 'key revoked'}."
        )
    return LinkLost(f"The connection to the Control Room broke: {closed}.")


def _bytes(frame: str | bytes) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame
