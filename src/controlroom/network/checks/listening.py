"""Stands in for the services of a host that are not there yet, so that firewalls can be tested before installation."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from controlroom.network.addresses import Family, format_address
from controlroom.network.catalogue import Transport
from controlroom.network.checks.here import is_local
from controlroom.network.checks.stand_in_certificate import stand_in_context
from controlroom.network.errors import NetworkError
from controlroom.network.policy import Policy, flow_of
from controlroom.network.ports import single_ports
from controlroom.network.probes import Probe, Wrapping, probe_for
from controlroom.network.probes.conversation import Conversation
from controlroom.network.site import Party

_ANSWER_SECONDS = 10.0
_MOST_BYTES = 64 * 1024
_MOST_AT_ONCE = 200
# More than this is a range that was not meant, such as "any port".
_MOST_LISTENERS = 4000


@dataclass(frozen=True, slots=True)
class Listening:
    """One socket of a stand-in: the flow and probe that it answers, and where."""

    flow: str
    probe: Probe
    address: str
    port: int


def listening_plan(policy: Policy, host: Party) -> list[Listening]:
    """Return what a host must listen on for its inbound flows, on those of its addresses that this machine has.

    Where two protocols share a port the first flow is answered. Raise `NetworkError` where there is nothing to answer.
    """
    found: dict[tuple[Transport, str, int], Listening] = {}
    for permit in policy.permits:
        mine = host.addresses.of(permit.family) & permit.destinations
        if permit.transport is Transport.ICMPV6 or not mine or permit.ports.size > _MOST_LISTENERS:
            continue
        flow = flow_of(permit)
        chosen = probe_for(permit.flow, flow.service.name if flow else None, permit.transport)
        for address in _local(permit.family, [low for low, high in mine if low == high]):
            for port in single_ports(permit.ports):
                one = Listening(permit.flow, chosen, address, port)
                found.setdefault((permit.transport, address, port), one)
    if not found:
        raise NetworkError(
            f"this machine has no address of {host.name!r} on which a flow of the site arrives"
        )
    if len(found) > _MOST_LISTENERS:
        raise NetworkError(f"{len(found)} sockets would be needed, more than {_MOST_LISTENERS}")
    return list(found.values())


def _local(family: Family, values: list[int]) -> Iterator[str]:
    for value in values:
        if is_local(family, value):
            yield format_address(family, value)


@asynccontextmanager
async def listen(
    plan: list[Listening], told: Callable[[Listening, str], None]
) -> AsyncIterator[list[Listening]]:
    """Answer within the block; gives those whose port is taken, most likely by the real service.

    ``told`` hears of each handshake: its socket, and who asked.
    """
    context = stand_in_context(sorted({one.address for one in plan}))
    gate = asyncio.Semaphore(_MOST_AT_ONCE)
    taken: list[Listening] = []
    async with AsyncExitStack() as stack:
        for one in plan:
            try:
                if one.probe.transport is Transport.UDP:
                    stack.callback((await _listen_to_datagrams(one, told)).close)
                else:
                    stack.callback((await _listen_to_streams(one, context, gate, told)).close)
            except OSError:
                taken.append(one)
        yield taken


async def _listen_to_streams(
    one: Listening, context: ssl.SSLContext, gate: asyncio.Semaphore, told: Callable[[Listening, str], None]
) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str(writer.get_extra_info("peername", ("?",))[0])
        try:
            async with gate, asyncio.timeout(_ANSWER_SECONDS):
                conversation = await _begin(one.probe, _StreamChannel(reader, writer), context)
                await one.probe.answer(conversation)
                told(one, peer)
                # The client closes first, so that what was sent is not lost to a reset.
                writer.write_eof()
                await reader.read(1)
        except (NetworkError, TimeoutError, OSError):
            told(one, f"{peer}, who spoke something else")
        finally:
            writer.close()

    return await asyncio.start_server(serve, one.address, one.port)


async def _begin(probe: Probe, channel: "_StreamChannel", context: ssl.SSLContext) -> Conversation:
    """Begin within TLS where the protocol is always spoken so; where either may be, the first byte of a client tells."""
    conversation = Conversation(channel, now=lambda: datetime.now(UTC), tls=context)
    if probe.wrapping is Wrapping.TLS:
        await conversation.accept_tls()
    return conversation


class _StreamChannel:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._left = _MOST_BYTES

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self) -> bytes:
        data = await self._reader.read(min(self._left, 16_384)) if self._left else b""
        self._left -= len(data)
        return data


async def _listen_to_datagrams(
    one: Listening, told: Callable[[Listening, str], None]
) -> asyncio.DatagramTransport:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Datagrams(one, told), local_addr=(one.address, one.port)
    )
    return transport


class _Datagrams(asyncio.DatagramProtocol):
    """Answers each datagram by itself, so that nothing is kept of who asked."""

    def __init__(self, one: Listening, told: Callable[[Listening, str], None]) -> None:
        self._one = one
        self._told = told
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a datagram endpoint has no other kind

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(self._tasks) < _MOST_AT_ONCE:
            task = asyncio.create_task(self._answer(data, addr))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, data: bytes, addr: tuple[str, int]) -> None:
        channel = _OneDatagram(data)
        try:
            await self._one.probe.answer(Conversation(channel, now=lambda: datetime.now(UTC)))
        except NetworkError:
            self._told(self._one, f"{addr[0]}, who spoke something else")
            return
        if self._transport is not None:
            for answer in channel.sent:
                self._transport.sendto(answer, addr)
        self._told(self._one, str(addr[0]))


class _OneDatagram:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.sent: list[bytes] = []

    async def send(self, data: bytes) -> None:
        self.sent.append(data)

    async def receive(self) -> bytes:
        data, self._data = self._data, b""
        return data
