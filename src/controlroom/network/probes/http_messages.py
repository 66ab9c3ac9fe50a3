"""HTTP/1.1 as far as probes speak it (RFC 9112): one request, the head of one answer, the beginning of a body."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from controlroom.network.probes.conversation import Conversation, plain, shown
from controlroom.network.probes.errors import NotThisProtocol

_LONGEST_HEAD = 16 * 1024
_STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) (\d{3})(?: [^\r\n]*)?")
# What servers say in the clear on a port that wants TLS: nginx, Apache, Go.
_WANTS_TLS = (b"HTTPS", b"SSL-enabled")


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an answer, header names in lower case."""

    status: int
    headers: Mapping[str, str]

    def __str__(self) -> str:
        server = self.headers.get("server", "")
        return f"HTTP {self.status}" + (f", {plain(server, 60)}" if server else "")


def request(
    method: str, path: str, conversation: Conversation, headers: Mapping[str, str] | None = None
) -> bytes:
    """Return a request that asks for the connection to be closed, unless the headers say otherwise."""
    host = conversation.server_name or conversation.host
    named = {
        "Host": f"[{host}]" if ":" in host else host,
        "User-Agent": "controlroom-probe",
        "Accept": "*/*",
        "Connection": "close",
        **(headers or {}),
    }
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items()), "", ""]
    return "\r\n".join(lines).encode("ascii", "replace")


async def read_head(conversation: Conversation) -> Head:
    """Read the head of an answer; raise `NotThisProtocol` where it is not HTTP, or where TLS is wanted instead."""
    first = await conversation.read_exactly(5)
    if first != b"HTTP/":
        raise NotThisProtocol(f"answered {shown(first)}…, which is not HTTP")
    head = parse_head(first + await conversation.read_until(b"\r\n\r\n", most=_LONGEST_HEAD))
    if head.status == 400 and not conversation.security:
        body = await conversation.read_rest()
        if any(word in body for word in _WANTS_TLS):
            raise NotThisProtocol("answered in the clear that it wants TLS on this port")
    return head


def parse_head(data: bytes) -> Head:
    """Read status line and headers; raise `NotThisProtocol`."""
    first, _, rest = data.partition(b"\r\n")
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        raise NotThisProtocol(f"answered {shown(data)}, which is not the head of HTTP")
    headers: dict[str, str] = {}
    for line in rest.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            key = plain(name).lower()
            earlier = f"{headers[key]}, " if key in headers else ""
            headers[key] = (earlier + plain(value, 500))[:2000]
    return Head(int(match[2]), headers)
