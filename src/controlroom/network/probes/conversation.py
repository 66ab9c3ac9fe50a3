"""A bounded conversation with one peer: what probes and stand-ins read and write through."""

import ssl
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from controlroom.network.probes.encryption import accept, encrypt
from controlroom.network.probes.errors import NotThisProtocol

# The longest line or header that any of the protocols needs for its greeting.
LONGEST_LINE = 4096
_SHOWN_BYTES = 24


class Channel(Protocol):
    """Moves bytes; over UDP each call moves one datagram."""

    async def send(self, data: bytes) -> None:
        """Send all the bytes."""
        ...

    async def receive(self) -> bytes:
        """Return the next bytes, none at the end; raise `NotThisProtocol` beyond the byte limit."""
        ...


class Conversation:
    """Reads exactly what a protocol wants, over a channel that limits bytes; time is limited by the caller.

    ``security`` says which TLS was agreed, once there is any.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        now: Callable[[], datetime],
        tls: ssl.SSLContext | None = None,
        host: str = "",
        server_name: str = "",
    ) -> None:
        self._channel = channel
        self._tls = tls
        self._buffer = b""
        self._heard = b""
        self.now = now
        self.host = host
        self.server_name = server_name
        self.security = ""

    @property
    def heard(self) -> str:
        """Return the first bytes that the peer said, as text for people; empty where it said nothing."""
        return shown(self._heard)

    async def send(self, data: bytes) -> None:
        """Send all the bytes."""
        await self._channel.send(data)

    async def read_some(self) -> bytes:
        """Return what comes next, at least one byte; raise `NotThisProtocol` at the end."""
        if not self._buffer:
            await self._fill()
        data, self._buffer = self._buffer, b""
        return data

    async def read_exactly(self, count: int) -> bytes:
        """Return so many bytes; raise `NotThisProtocol` where the peer ends before."""
        while len(self._buffer) < count:
            await self._fill()
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    async def read_until(self, mark: bytes, *, most: int = LONGEST_LINE) -> bytes:
        """Return the bytes up to and with a mark; raise `NotThisProtocol` where it is not within ``most`` bytes."""
        while mark not in self._buffer[:most]:
            if len(self._buffer) >= most:
                raise NotThisProtocol(f"said {self.heard} and went on for more than {most} bytes")
            await self._fill()
        length = self._buffer.index(mark) + len(mark)
        return await self.read_exactly(length)

    async def read_rest(self, most: int = LONGEST_LINE) -> bytes:
        """Return what comes until the peer ends or ``most`` bytes are there."""
        while len(self._buffer) < most:
            data = await self._channel.receive()
            if not data:
                break
            self._buffer += data
        data, self._buffer = self._buffer[:most], self._buffer[most:]
        return data

    async def start_tls(self) -> None:
        """Go on within TLS as the client; raise `TlsFailed`, or `NotThisProtocol` where the peer speaks none."""
        if self._tls is None:
            raise NotThisProtocol("asks for TLS where there can be none")
        name = self.server_name or self.host
        self._channel, self.security = await encrypt(self._channel, self._tls, name, self.now())
        self._buffer = b""

    async def accept_tls(self) -> None:
        """Go on within TLS as the server; raise as `start_tls` does."""
        if self._tls is None:
            raise NotThisProtocol("asks for TLS where there can be none")
        self._channel = await accept(self._channel, self._tls, self._buffer)
        self._buffer = b""

    async def _fill(self) -> None:
        data = await self._channel.receive()
        if not data:
            if self._heard:
                raise NotThisProtocol(f"said {self.heard} and closed the connection")
            raise NotThisProtocol("closed the connection without a word")
        self._buffer += data
        self._heard = (self._heard + data)[:_SHOWN_BYTES]


def shown(data: bytes) -> str:
    """Return bytes as people read them: as text where they are text, in hexadecimal where not."""
    head = data[:_SHOWN_BYTES]
    if not head:
        return ""
    text = head.decode("ascii", "replace").rstrip("\r\n")
    if all(" " <= sign <= "~" for sign in text):
        return f"'{text}'"
    return head.hex(" ")


def plain(data: bytes | str, most: int = 100) -> str:
    """Return a peer's text without what could disturb a terminal, a page or a report, cut to ``most`` signs."""
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    kept = "".join(sign if sign.isprintable() else " " for sign in text[: most * 2])
    return " ".join(kept.split())[:most]
