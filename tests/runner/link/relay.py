"""A TCP relay that stands between runner and Control Room and misbehaves as networks do."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

_READ_BYTES = 4096


class Relay:
    """Passes bytes on. A connection is cut each time the runner has sent ``cuts``' next number of bytes, over all
    connections, while one is left; with ``strips_upgrade`` the headers that ask for a WebSocket are taken out of each request."""

    def __init__(
        self, target: tuple[str, int], *, cuts: Iterator[int] = iter(()), strips_upgrade: bool = False
    ) -> None:
        self._target = target
        self._cuts = cuts
        self._budget = next(cuts, None)
        self._strips_upgrade = strips_upgrade
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.cut_count = 0
        self.url = ""
        self.asked: list[bytes] = []
        """First lines of what was asked of it as a proxy."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            there, back = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        try:
            up = asyncio.create_task(self._pass_up(reader, back))
            down = asyncio.create_task(self._pass_down(there, writer))
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
        except asyncio.CancelledError:
            up.cancel()
            down.cancel()
        finally:
            writer.transport.abort()
            back.transport.abort()
            self._tasks.discard(task)

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass_up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(_READ_BYTES):
                if self._strips_upgrade:
                    data = _without_upgrade(data)
                if self._budget is not None and len(data) >= self._budget:
                    writer.write(data[: self._budget])
                    await writer.drain()
                    self._budget = next(self._cuts, None)
                    self.cut_count += 1
                    return
                self._budget = None if self._budget is None else self._budget - len(data)
                writer.write(data)
                await writer.drain()

    async def _pass_down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(_READ_BYTES):
                writer.write(data)
                await writer.drain()


class Proxy(Relay):
    """An HTTP proxy (RFC 9110 section 9.3.6) that leads every name to its one target."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.partition(b"\r\n")[0])
        through = asyncio.StreamReader()
        if head.startswith(b"CONNECT "):
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            through.feed_data(head)
        feeding = asyncio.create_task(_feed(reader, through))
        try:
            await super().handle(through, writer)
        finally:
            feeding.cancel()


class SocksProxy(Relay):
    """A SOCKS 5 proxy without sign-in (RFC 1928) that leads every name to its one target."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        version, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        _, command, _, kind = await reader.readexactly(4)
        assert (version, command, kind) == (5, 1, 3), "a connection to a host by its name"
        (length,) = await reader.readexactly(1)
        self.asked.append(await reader.readexactly(length))
        await reader.readexactly(2)
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        await super().handle(reader, writer)


async def _feed(source: asyncio.StreamReader, target: asyncio.StreamReader) -> None:
    while data := await source.read(_READ_BYTES):
        target.feed_data(data)
    target.feed_eof()


def _without_upgrade(data: bytes) -> bytes:
    head, end, body = data.partition(b"\r\n\r\n")
    lines = [
        line
        for line in head.split(b"\r\n")
        if not line.lower().startswith((b"upgrade:", b"connection: upgrade"))
    ]
    return b"\r\n".join(lines) + end + body


@asynccontextmanager
async def relay(
    target: tuple[str, int],
    *,
    cuts: Iterator[int] = iter(()),
    strips_upgrade: bool = False,
    kind: type[Relay] = Relay,
) -> AsyncIterator[Relay]:
    """Listen on a free port for the length of the block."""
    standing = kind(target, cuts=cuts, strips_upgrade=strips_upgrade)
    server = await asyncio.start_server(standing.handle, "127.0.0.1", 0)
    standing.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield standing
    finally:
        server.close()
        await standing.close()
