"""Keeps a connection to the Control Room for as long as the runner lives."""

import asyncio
from collections.abc import Callable
from enum import StrEnum

from controlroom.foundation.telemetry import logger
from controlroom.protocol.messages import FromRunner, Goodbye
from controlroom.protocol.wire import encode
from controlroom.runner.link.connector import Connector, Opened
from controlroom.runner.link.outbox import Outbox
from controlroom.runner.link.pace import Backoff, Pace
from controlroom.runner.link.session import Peer, carry
from controlroom.runner.link.transport import Connection, LinkError, LinkLost, RunnerRefused

_log = logger("runner.link")


class LinkState(StrEnum):
    """Where the link is."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    REFUSED = "refused"


Watcher = Callable[[LinkState, str], None]
"""Is told of each change: the state, and the transport's name or the reason."""


class Link:
    """The runner's one connection. `run` is its life; it is ended by cancelling it."""

    def __init__(
        self, connector: Connector, peer: Peer, outbox: Outbox, *, pace: Pace, watcher: Watcher
    ) -> None:
        self._connector = connector
        self._peer = peer
        self._outbox = outbox
        self._pace = pace
        self._watcher = watcher
        self._backoff = Backoff(pace)
        self._connection: Connection | None = None
        self._heartbeat_wanted = asyncio.Event()

    async def run(self) -> None:
        """Connect, carry, and connect again for ever."""
        self._watcher(LinkState.CONNECTING, "")
        while True:
            try:
                await self._one_connection()
            except RunnerRefused as refused:
                self._watcher(LinkState.REFUSED, str(refused))
                _log.error(  # the sentence is for the operator, a traceback would hide it
                    "runner.refused",
                    reason=str(refused),
                    retry_seconds=self._pace.refused_retry,
                    advice="Join this runner anew with 'controlroom runner join' if it was revoked.",
                )
                await asyncio.sleep(self._pace.refused_retry)
            except LinkError as lost:
                wait = self._backoff.next_seconds()
                self._watcher(LinkState.CONNECTING, str(lost))
                _log.warning("runner.disconnected", reason=str(lost), retry_seconds=round(wait, 1))
                await asyncio.sleep(wait)
            except Exception:  # a fault of ours must not end the link: the bots' reports wait behind it
                _log.exception("runner.link_fault")
                await asyncio.sleep(self._backoff.next_seconds())

    def send_heartbeat_now(self) -> None:
        """Let the next heartbeat go out without waiting for its time; on the next connection where there is none."""
        self._heartbeat_wanted.set()

    async def say(self, message: FromRunner) -> bool:
        """Send one message now, outside of all queues; say whether there was a connection to send it on."""
        if self._connection is None:
            return False
        try:
            await self._connection.send([encode(message)])
        except LinkError:
            return False
        return True

    async def say_goodbye(self, reason: str, *, within_seconds: float) -> bool:
        """Wait until all reports are delivered, then take leave; say whether it could within the time."""
        try:
            async with asyncio.timeout(within_seconds):
                if self._connection is None:
                    return False
                await self._outbox.wait_until_delivered()
                await self._connection.send([encode(Goodbye(reason))])
        except (TimeoutError, LinkError):
            return False
        return True

    async def _one_connection(self) -> None:
        opened = await self._connector.open(self._peer.hello())
        began = asyncio.get_running_loop().time()
        self._connection = opened.connection
        self._watcher(LinkState.CONNECTED, opened.transport)
        _log.info("runner.connected", transport=opened.transport, device=opened.welcome.device_name)
        try:
            await self._carry(opened)
        finally:
            self._connection = None
            await opened.connection.close()
            if asyncio.get_running_loop().time() - began >= self._pace.stable:
                self._backoff.reset()

    async def _carry(self, opened: Opened) -> None:
        try:
            async with asyncio.timeout(opened.limit_seconds):
                await carry(
                    opened.connection,
                    opened.welcome,
                    self._peer,
                    self._outbox,
                    self._pace.stall,
                    self._heartbeat_wanted,
                )
        except TimeoutError:
            self._backoff.reset()
            raise LinkLost("Trying again whether a WebSocket passes.") from None
