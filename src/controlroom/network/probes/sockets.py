"""Connects sockets for probes and moves their bytes within limits; says what the network answered instead."""

import asyncio
import errno
import ipaddress
import socket
import sys

from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.icmp import icmp_answer, want_icmp
from controlroom.network.probes.interface import Verdict

_READ_BYTES = 16_384
# The largest datagram that any greeting over UDP needs; a longer one is cut off by the system.
_DATAGRAM_BYTES = 4096
# linux/in.h: choose the source port at connect, so that ports are not used up by the source address alone.
_IP_BIND_ADDRESS_NO_PORT = 24
_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}


class SocketChannel:
    """Moves bytes over a connected socket; gives up a peer that sends more than ``most_bytes``."""

    def __init__(self, one: socket.socket, most_bytes: int) -> None:
        self._socket = one
        self._left = most_bytes
        self._most = most_bytes
        self._loop = asyncio.get_running_loop()
        self._datagrams = one.type == socket.SOCK_DGRAM

    async def send(self, data: bytes) -> None:
        """Send all the bytes; raise `NotThisProtocol` where the peer has closed."""
        try:
            await self._loop.sock_sendall(self._socket, data)
        except (ConnectionResetError, BrokenPipeError):
            raise NotThisProtocol("closed the connection instead of listening") from None

    async def receive(self) -> bytes:
        """Return the next bytes, none at the end; raise `NotThisProtocol` beyond the limit."""
        try:
            data = await self._loop.sock_recv(
                self._socket, _DATAGRAM_BYTES if self._datagrams else _READ_BYTES
            )
        except (ConnectionResetError, BrokenPipeError):
            return b""
        self._left -= len(data)
        if self._left < 0:
            raise NotThisProtocol(f"sent more than {self._most} bytes without an end")
        return data


def open_socket(address: str, source: str, kind: socket.SocketKind) -> socket.socket:
    """Return a socket of the address's family, bound to the source if one is given. Raise `OSError`."""
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    one = socket.socket(family, kind)
    try:
        one.setblocking(False)
        want_icmp(one)
        if source:
            if sys.platform == "linux":
                one.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
            one.bind((source, 0))
    except OSError:
        one.close()
        raise
    return one


def verdict_of(error: OSError, one: socket.socket, address: str) -> tuple[Verdict, str]:
    """Say what an error on a probe's socket means, by ICMP where the system kept it. Raise what is no answer."""
    answer = icmp_answer(one)
    is_tcp = one.type == socket.SOCK_STREAM
    if answer is not None:
        # Only a firewall answers TCP with "port unreachable": a closed port sends a reset.
        rejected = answer.port_unreachable and (is_tcp or answer.sender != address)
        if answer.prohibited or rejected:
            return Verdict.PROHIBITED, str(answer)
        return (Verdict.REFUSED if answer.port_unreachable else Verdict.UNREACHABLE), str(answer)
    if isinstance(error, ConnectionRefusedError):
        return Verdict.REFUSED, f"{address} answered with a reset" if is_tcp else "port unreachable"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return Verdict.PROHIBITED, f"the system refused to send or was told so by ICMP: {error.strerror}"
    if error.errno in _UNREACHABLE:
        return Verdict.UNREACHABLE, f"no way there: {error.strerror}"
    if isinstance(error, TimeoutError):
        return Verdict.FILTERED, "no answer at all"
    if isinstance(error, ConnectionError):
        return Verdict.WRONG_PROTOCOL, f"the connection broke at once: {error.strerror}"
    raise error
