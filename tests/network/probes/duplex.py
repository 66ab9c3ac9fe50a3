"""A probe and its own stand-in, tied together in memory."""

import asyncio
from datetime import UTC, datetime

from controlroom.network.probes import Probe
from controlroom.network.probes.conversation import Conversation
from controlroom.network.probes.errors import NotThisProtocol, TlsFailed


class QueueChannel:
    """One end of a pipe; what it sends is kept."""

    def __init__(self, inbox: asyncio.Queue[bytes], outbox: asyncio.Queue[bytes]) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self.sent: list[bytes] = []

    async def send(self, data: bytes) -> None:
        self.sent.append(data)
        await self._outbox.put(data)

    async def receive(self) -> bytes:
        return await self._inbox.get()


async def talk(one: Probe) -> list[bytes]:
    """Let a probe ask its own stand-in; return what the stand-in said."""
    there, back = asyncio.Queue[bytes](), asyncio.Queue[bytes]()
    near, far = QueueChannel(back, there), QueueChannel(there, back)

    async def serve() -> None:
        try:
            await one.answer(Conversation(far, now=lambda: datetime.now(UTC)))
        except NotThisProtocol:
            pass
        finally:
            await back.put(b"")

    serving = asyncio.create_task(serve())
    try:
        async with asyncio.timeout(10):
            evidence = await one.ask(Conversation(near, now=lambda: datetime.now(UTC), host="127.0.0.1"))
            assert evidence
    except (TlsFailed, NotThisProtocol):
        assert one.name == "ldap-start-tls", "only TLS cannot be had in memory"
    finally:
        serving.cancel()
    return far.sent
