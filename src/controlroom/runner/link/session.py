"""Carries one connection: reports and heartbeats out, messages in, until any of the three ends."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Protocol

from controlroom.protocol.messages import Ack, FromServer, Heartbeat, Hello, Refused, Welcome
from controlroom.protocol.wire import encode
from controlroom.runner.link.outbox import Outbox
from controlroom.runner.link.transport import Connection, LinkLost


class Peer(Protocol):
    """The agent, as the link sees it. None of its methods may keep the link waiting for a bot."""

    def hello(self) -> Hello:
        """Return what opens a connection."""
        ...

    def heartbeat(self) -> Heartbeat:
        """Return what keeps the leases alive; called just before it is sent."""
        ...

    def welcomed(self, welcome: Welcome) -> None:
        """Take the pace of a new connection."""
        ...

    async def receive(self, message: FromServer) -> None:
        """Act on a message; acknowledgements have moved the outbox on before."""
        ...


async def carry(
    connection: Connection,
    welcome: Welcome,
    peer: Peer,
    outbox: Outbox,
    stall_seconds: float,
    heartbeat_wanted: asyncio.Event,
) -> None:
    """Carry a connection until it breaks; always ends with a `LinkError`, or cancelled.

    A heartbeat goes out at the server's pace, and at once where ``heartbeat_wanted`` is set.
    """
    peer.welcomed(welcome)
    outbox.connected()
    try:
        await _until_one_ends(
            _send_reports(connection, outbox),
            _send_heartbeats(connection, welcome, peer, outbox, stall_seconds, heartbeat_wanted),
            _receive(connection, peer, outbox),
        )
    finally:
        outbox.disconnected()


async def _send_reports(connection: Connection, outbox: Outbox) -> None:
    while True:
        await connection.send(await outbox.next_batch())


async def _send_heartbeats(
    connection: Connection,
    welcome: Welcome,
    peer: Peer,
    outbox: Outbox,
    stall_seconds: float,
    wanted: asyncio.Event,
) -> None:
    pause = min(max(welcome.heartbeat_seconds, 0.05), 3600.0)
    while True:
        wanted.clear()
        await connection.send([encode(peer.heartbeat())])
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await wanted.wait()
        outbox.resend_stalled(stall_seconds)


async def _receive(connection: Connection, peer: Peer, outbox: Outbox) -> None:
    while True:
        for message in await connection.receive():
            match message:
                case Refused(reason=reason, fatal=True):
                    raise LinkLost(f"The Control Room closes the connection: {reason}")
                case Refused():
                    await peer.receive(message)
                case Ack():
                    await outbox.acknowledge(message)
                    await peer.receive(message)
                case _:
                    await peer.receive(message)


async def _until_one_ends(*works: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    faults = [result for result in results if isinstance(result, Exception)]
    raise faults[0] if faults else LinkLost("The connection to the Control Room ended.")
