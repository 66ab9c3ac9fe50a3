"""Chooses the transport: WebSocket, and long poll where something on the way breaks WebSockets."""

import asyncio
from dataclasses import dataclass

from controlroom.foundation.telemetry import logger
from controlroom.protocol.messages import Hello, Welcome
from controlroom.runner.link.pace import Pace
from controlroom.runner.link.transport import Connection, LinkError, Transport, TransportBlocked

_VAGUE_SIGNS = 2
"""So many times in a row a WebSocket must fail in a way that a starting server also would, before it counts."""
_log = logger("runner.link")


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection that was welcomed. After ``limit_seconds`` it is given up to try the better transport again."""

    connection: Connection
    welcome: Welcome
    transport: str
    limit_seconds: float | None


class Connector:
    """Opens connections and remembers which transport works here."""

    def __init__(self, preferred: Transport, fallback: Transport, pace: Pace) -> None:
        self._preferred = preferred
        self._fallback = fallback
        self._pace = pace
        self._again_seconds = pace.websocket_again
        self._again_at = 0.0
        self._vague_signs = 0

    async def open(self, hello: Hello) -> Opened:
        """Open a connection by the transport that works; raise the `LinkError` of the last one tried."""
        if asyncio.get_running_loop().time() < self._again_at:
            return await self._open_fallback(hello)
        try:
            connection, welcome = await self._preferred.open(hello)
        except TransportBlocked as blocked:
            return await self._instead(hello, blocked)
        self._again_seconds = self._pace.websocket_again
        self._vague_signs = 0
        return Opened(connection, welcome, self._preferred.name, None)

    async def _instead(self, hello: Hello, blocked: TransportBlocked) -> Opened:
        self._vague_signs += 1
        if not blocked.certain and self._vague_signs < _VAGUE_SIGNS:
            raise blocked
        opened = await self._open_fallback(hello)
        _log.info("runner.fell_back", transport=self._fallback.name, reason=str(blocked))
        self._again_at = asyncio.get_running_loop().time() + self._again_seconds
        self._again_seconds = min(self._again_seconds * 2, self._pace.websocket_again_longest)
        return Opened(opened.connection, opened.welcome, opened.transport, self._remaining())

    async def _open_fallback(self, hello: Hello) -> Opened:
        try:
            connection, welcome = await self._fallback.open(hello)
        except LinkError:
            self._again_at = 0.0
            raise
        return Opened(connection, welcome, self._fallback.name, self._remaining())

    def _remaining(self) -> float:
        return max(self._again_at - asyncio.get_running_loop().time(), 0.0)
