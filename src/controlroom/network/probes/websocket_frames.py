"""WebSocket frames as far as a ping needs them (RFC 6455)."""

import base64
import hashlib
import secrets

from controlroom.network.probes.conversation import Conversation
from controlroom.network.probes.errors import NotThisProtocol

PING, PONG, CLOSE = 0x9, 0xA, 0x8
_KINDS = {0x0, 0x1, 0x2, CLOSE, PING, PONG}
# Section 1.3: what a server joins to the key.
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_LONGEST_FRAME = 8 * 1024


def new_key() -> str:
    """Return a key for an upgrade."""
    return base64.b64encode(secrets.token_bytes(16)).decode()


def accept_key(key: str) -> str:
    """Return what the server must answer to a key."""
    return base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode(), usedforsecurity=False).digest()).decode()


def frame(kind: int, content: bytes, *, masked: bool) -> bytes:
    """Return a short control frame; clients mask theirs."""
    if not masked:
        return bytes((0x80 | kind, len(content))) + content
    mask = secrets.token_bytes(4)
    hidden = bytes(value ^ mask[index % 4] for index, value in enumerate(content))
    return bytes((0x80 | kind, 0x80 | len(content))) + mask + hidden


async def read_frame(conversation: Conversation) -> tuple[int, bytes]:
    """Return kind and content of the next frame; raise `NotThisProtocol` where it is none."""
    first, second = await conversation.read_exactly(2)
    kind, length = first & 0x0F, second & 0x7F
    if first & 0x70 or kind not in _KINDS:
        raise NotThisProtocol("what follows the upgrade is no WebSocket frame")
    if length >= 126:
        length = int.from_bytes(await conversation.read_exactly(2 if length == 126 else 8), "big")
    if length > _LONGEST_FRAME:
        raise NotThisProtocol(f"a WebSocket frame of {length} bytes came before the pong")
    mask = await conversation.read_exactly(4) if second & 0x80 else b""
    content = await conversation.read_exactly(length)
    if mask:
        content = bytes(value ^ mask[index % 4] for index, value in enumerate(content))
    return kind, content
