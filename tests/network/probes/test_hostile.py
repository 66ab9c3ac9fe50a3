"""Servers that do what none should: each probe comes to a verdict within its limits, and takes in no more than it may."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from controlroom.network.catalogue import Transport
from controlroom.network.probes import Limits, Outcome, Probe, Target, Verdict, probes, run_probe

LIMITS = Limits(connect_seconds=2, answer_seconds=1, most_bytes=32 * 1024)
# Time within which each probe must be done whatever comes: two attempts where a site may have TLS or not, and noise of
# a busy machine on top.
LONGEST_SECONDS = 2 * LIMITS.answer_seconds + LIMITS.connect_seconds + 5
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
STREAM = [one for one in probes().values() if one.transport is Transport.TCP and one.proves]
DATAGRAM = [one for one in probes().values() if one.transport is Transport.UDP]


async def say_nothing(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def hang_up(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    return


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # One byte at a time for ever, far below any limit of bytes.
    while True:
        writer.write(b"2")
        await writer.drain()
        await asyncio.sleep(0.05)


async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"A" * 65_536)
        await writer.drain()


async def pour_lines(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"250-more\r\n" * 500)
        await writer.drain()


async def pour_zeros(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(bytes(65_536))
        await writer.drain()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()


async def garbage(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(bytes(range(256)) * 4)
    await writer.drain()


async def escape_codes(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x1b[2J\x1b]0;owned\x07<script>alert(1)</script>[bold]\r\n")
    await writer.drain()


HOSTILE = [say_nothing, hang_up, drip, pour, pour_lines, pour_zeros, echo, garbage, escape_codes]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def timed(one: Probe, port: int) -> tuple[str, Outcome]:
    begun = monotonic()
    outcome = await run_probe(one, Target("127.0.0.1", port), LIMITS)
    assert monotonic() - begun < LONGEST_SECONDS, one.name
    return one.name, outcome


@pytest.mark.parametrize("handler", HOSTILE, ids=lambda one: one.__name__)
async def test_hostile_server_is_never_open_and_never_holds_a_probe(handler: Handler) -> None:
    async with serving(handler) as port:
        found = await asyncio.gather(*(timed(one, port) for one in STREAM))

    for name, outcome in found:
        assert outcome.verdict in {Verdict.WRONG_PROTOCOL, Verdict.TLS_ERROR}, (name, outcome)
        assert outcome.evidence.isprintable()
        assert len(outcome.evidence) <= 300


class Answering(asyncio.DatagramProtocol):
    """Answers every datagram with the same bytes, or with what came."""

    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(data if self._answer is None else self._answer, addr)  # type: ignore[attr-defined]


@pytest.mark.parametrize("answer", [None, b"\x00", bytes(4000), b"\xff" * 60, b"HTTP/1.1 200 OK\r\n\r\n"])
async def test_hostile_datagrams_are_never_open(answer: bytes | None) -> None:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Answering(answer), local_addr=("127.0.0.1", 0)
    )
    port = transport.get_extra_info("sockname")[1]
    for one in DATAGRAM:
        if one.proves:
            _, outcome = await timed(one, port)
            assert outcome.verdict is Verdict.WRONG_PROTOCOL, (one.name, outcome)
    transport.close()


async def test_silent_datagram_server_gives_no_udp_answer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        for one in DATAGRAM:
            _, outcome = await timed(one, silent.getsockname()[1])
            assert outcome.verdict is Verdict.NO_UDP_ANSWER, one.name
