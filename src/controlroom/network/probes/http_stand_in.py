"""Stands in for any service that is spoken to by HTTP: web, WebSocket, search, Subversion."""

import json

from controlroom.network.probes.conversation import Conversation
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.websocket_frames import PING, PONG, accept_key, frame, read_frame

_LONGEST_HEAD = 8 * 1024
DAV_OF_SUBVERSION = "1,2, http://subversion.tigris.org/xmlns/dav/svn/depth"
_BODY = json.dumps(
    {
        "name": "stand-in",
        "cluster_name": "stand-in",
        "version": {"number": "0.0.0", "distribution": "stand-in"},
        "tagline": "a stand-in of controlroom network check --listen",
    }
).encode()


async def answer_http(conversation: Conversation) -> None:
    """Answer one request; after an upgrade to WebSocket, answer one ping."""
    head = await conversation.read_until(b"\r\n\r\n", most=_LONGEST_HEAD)
    headers = {
        name.strip().lower(): value.strip()
        for name, colon, value in (line.partition(b":") for line in head.split(b"\r\n"))
        if colon
    }
    key = headers.get(b"sec-websocket-key")
    if key is None:
        fields = (
            f"DAV: {DAV_OF_SUBVERSION}\r\nContent-Type: application/json\r\nContent-Length: {len(_BODY)}\r\n"
        )
        await conversation.send(
            f"HTTP/1.1 200 OK\r\nServer: controlroom-stand-in\r\n{fields}Connection: close\r\n\r\n".encode()
            + _BODY
        )
        return
    accept = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept_key(key.decode('ascii', 'replace'))}"
    await conversation.send(f"HTTP/1.1 101 Switching Protocols\r\n{accept}\r\n\r\n".encode())
    kind, content = await read_frame(conversation)
    if kind != PING:
        raise NotThisProtocol("no ping came after the upgrade")
    await conversation.send(frame(PONG, content, masked=False))
