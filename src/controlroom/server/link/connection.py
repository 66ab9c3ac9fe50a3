"""One connection to a runner, whatever carries it: what waits to be sent, and what its runner is known to have."""

import asyncio

from controlroom.foundation.ids import new_id
from controlroom.protocol.messages import FromServer, Refused

_OUTGOING_MESSAGES = 1_000


class Connection:
    """Messages to a runner wait here until its transport takes them; a runner that does not read is cut off."""

    def __init__(self, device_id: str, device_name: str) -> None:
        self.id = new_id("con")
        self.device_id = device_id
        self.device_name = device_name
        self.known_attempts: set[str] = set()
        """Attempts that the runner has told of, or was told to start on this connection."""
        self.closed = asyncio.Event()
        self._outgoing: asyncio.Queue[FromServer] = asyncio.Queue(_OUTGOING_MESSAGES)

    def send(self, message: FromServer) -> None:
        """Queue a message; a full queue closes the connection, and the runner comes back for what it missed."""
        try:
            self._outgoing.put_nowait(message)
        except asyncio.QueueFull:
            self.close()

    def refuse(self, reason: str) -> None:
        """Tell the runner why, and close."""
        self.send(Refused(reason, fatal=True))
        self.close()

    def close(self) -> None:
        """End the connection; its transport notices."""
        self.closed.set()

    async def next_message(self) -> FromServer | None:
        """Return the next message to send, or None once the connection is closed and nothing is left."""
        if not self._outgoing.empty():
            return self._outgoing.get_nowait()
        if self.closed.is_set():
            return None
        getting = asyncio.ensure_future(self._outgoing.get())
        closing = asyncio.ensure_future(self.closed.wait())
        try:
            await asyncio.wait({getting, closing}, return_when=asyncio.FIRST_COMPLETED)
            if getting.done():
                return getting.result()
        finally:
            closing.cancel()
            if not getting.done():
                getting.cancel()
        return self._outgoing.get_nowait() if not self._outgoing.empty() else None

    async def messages_within(self, seconds: float, most: int) -> list[FromServer]:
        """Return what waits, or what comes within the time; empty where nothing does."""
        found: list[FromServer] = []
        try:
            async with asyncio.timeout(seconds):
                first = await self.next_message()
        except TimeoutError:
            return found
        if first is not None:
            found.append(first)
        while len(found) < most and not self._outgoing.empty():
            found.append(self._outgoing.get_nowait())
        return found
