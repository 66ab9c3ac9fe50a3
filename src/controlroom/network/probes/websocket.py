"""WebSocket: an upgrade and a ping (RFC 6455), which shows proxies that take the upgrade away."""

from controlroom.network.probes.conversation import Conversation
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.http_messages import read_head, request
from controlroom.network.probes.http_stand_in import answer_http
from controlroom.network.probes.interface import Probe, Wrapping
from controlroom.network.probes.websocket_frames import (
    CLOSE,
    PING,
    PONG,
    accept_key,
    frame,
    new_key,
    read_frame,
)

_PING = b"controlroom"
# A server may greet before it answers a ping, but not for ever.
_MOST_FRAMES = 8


async def ask_websocket(conversation: Conversation, path: str = "/") -> str:
    """Return what came of an upgrade at a path; only an accepted one is one."""
    key = new_key()
    wanted = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
    }
    await conversation.send(request("GET", path, conversation, wanted))
    head = await read_head(conversation)
    if head.status != 101:
        raise NotThisProtocol(
            f"{head} instead of an upgrade at {path}: a proxy takes it away, or nothing is there"
        )
    if head.headers.get("sec-websocket-accept") != accept_key(key):
        raise NotThisProtocol("an upgrade with a key that does not fit: something between answered")
    await conversation.send(frame(PING, _PING, masked=True))
    for _ in range(_MOST_FRAMES):
        kind, content = await read_frame(conversation)
        if kind == PONG and content == _PING:
            return f"WebSocket at {path}, ping answered"
        if kind == CLOSE:
            return f"WebSocket at {path}, closed by the server with code {int.from_bytes(content[:2], 'big')}"
    raise NotThisProtocol("upgraded, but a ping was not answered")


PROBE = Probe("websocket", "WebSocket", ask_websocket, answer_http, wrapping=Wrapping.EITHER)
