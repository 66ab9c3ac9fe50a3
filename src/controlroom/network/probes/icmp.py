"""Who answered a packet by ICMP, and with which code: Linux tells it by a socket's error queue (ip(7), IP_RECVERR).

By it "administratively prohibited" is told apart from "no route to host", and a firewall that rejects with "port
unreachable" from a closed port.
"""

import contextlib
import ipaddress
import socket
import struct
import sys
from dataclasses import dataclass

# Numbers from linux/in.h, linux/in6.h and linux/errqueue.h.
_IP_RECVERR, _IPV6_RECVERR = 11, 25
_ORIGIN_ICMP, _ORIGIN_ICMP6 = 2, 3
_EXTENDED_ERROR = struct.Struct("=IBBBBII")

# RFC 1812, 5.2.7.1 and RFC 4443, 3.1: what only an administrator's rule makes a router or host say.
_PROHIBITED_V4 = {9, 10, 13}
_PROHIBITED_V6 = {1, 5, 6}
_PORT_UNREACHABLE_V4, _PORT_UNREACHABLE_V6 = 3, 4
_WORDS_V4 = {
    0: "network unreachable",
    1: "host unreachable",
    3: "port unreachable",
    9: "network administratively prohibited",
    10: "host administratively prohibited",
    13: "communication administratively prohibited",
}
_WORDS_V6 = {
    0: "no route",
    1: "communication administratively prohibited",
    3: "address unreachable",
    4: "port unreachable",
    5: "source address failed policy",
    6: "route rejected",
}


@dataclass(frozen=True, slots=True)
class IcmpAnswer:
    """One ICMP error: its sender, its words, and what it tells."""

    sender: str
    words: str
    prohibited: bool
    port_unreachable: bool

    def __str__(self) -> str:
        return f"{self.sender} answered '{self.words}' by ICMP"


def want_icmp(one: socket.socket) -> None:
    """Ask the system to keep ICMP errors for a socket; elsewhere than on Linux nothing happens."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            if one.family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
            else:
                one.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)


def icmp_answer(one: socket.socket) -> IcmpAnswer | None:
    """Return the first ICMP error that the system kept for a socket, if any."""
    if sys.platform != "linux":
        return None
    try:
        _, extras, _, _ = one.recvmsg(512, 512, socket.MSG_ERRQUEUE)
    except OSError:
        return None
    for level, kind, data in extras:
        if (level, kind) in {(socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)}:
            return read_extended_error(data)
    return None


def read_extended_error(data: bytes) -> IcmpAnswer | None:
    """Read a ``sock_extended_err`` with the address of its sender behind it; None where it is not of ICMP."""
    if len(data) < _EXTENDED_ERROR.size:
        return None
    _, origin, kind, code, _, _, _ = _EXTENDED_ERROR.unpack_from(data)
    address = data[_EXTENDED_ERROR.size :]
    if origin == _ORIGIN_ICMP and kind == 3 and len(address) >= 8:
        sender, words = str(ipaddress.IPv4Address(address[4:8])), _WORDS_V4
        prohibited, port_unreachable = code in _PROHIBITED_V4, code == _PORT_UNREACHABLE_V4
    elif origin == _ORIGIN_ICMP6 and kind == 1 and len(address) >= 24:
        sender, words = str(ipaddress.IPv6Address(address[8:24])), _WORDS_V6
        prohibited, port_unreachable = code in _PROHIBITED_V6, code == _PORT_UNREACHABLE_V6
    else:
        return None
    return IcmpAnswer(sender, words.get(code, f"unreachable, code {code}"), prohibited, port_unreachable)
