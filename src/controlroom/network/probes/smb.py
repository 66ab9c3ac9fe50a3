"""SMB 2 and 3: NEGOTIATE, answered with a dialect and what is said of signing (MS-SMB2 2.2.3, 2.2.4)."""

import secrets
import struct

from controlroom.network.probes.conversation import Conversation, shown
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe

# Protocol, structure size, credit charge, status, command, credits, flags, next, message, reserved, tree, session,
# signature: the header of a request or an answer (2.2.1.2).
_HEADER = struct.Struct("<4sHHIHHIIQIIQ16s")
_PROTOCOL, _HEADER_SIZE, _IS_ANSWER = b"\xfeSMB", 64, 0x1
# 3.1.1 would need negotiate contexts; a server that has it answers with the best of these.
_DIALECTS = (0x0202, 0x0210, 0x0300, 0x0302)
_DIALECT_WORDS = {0x0202: "2.0.2", 0x0210: "2.1", 0x0300: "3.0", 0x0302: "3.0.2", 0x0311: "3.1.1"}
_SIGNING_ENABLED, _SIGNING_REQUIRED = 0x1, 0x2
_ANSWER_SIZE = 65
_LONGEST_MESSAGE = 16 * 1024


def negotiate() -> bytes:
    """Return a NEGOTIATE for the usual dialects."""
    fixed = struct.pack("<HHHHI", 36, len(_DIALECTS), _SIGNING_ENABLED, 0, 0) + secrets.token_bytes(16)
    return _direct(_header(0) + fixed + bytes(8) + struct.pack(f"<{len(_DIALECTS)}H", *_DIALECTS))


def _header(flags: int) -> bytes:
    return _HEADER.pack(_PROTOCOL, _HEADER_SIZE, 0, 0, 0, 1, flags, 0, 0, 0, 0, 0, bytes(16))


def _direct(message: bytes) -> bytes:
    # Direct TCP transport (2.1): a zero and three bytes of length.
    return len(message).to_bytes(4, "big") + message


async def ask_smb(conversation: Conversation) -> str:
    """Return the dialect and what is said of signing."""
    await conversation.send(negotiate())
    start = await conversation.read_exactly(4)
    length = int.from_bytes(start, "big")
    if not _HEADER_SIZE + _ANSWER_SIZE <= length <= _LONGEST_MESSAGE:
        raise NotThisProtocol(f"answered {shown(start)}, which is no SMB")
    return read_negotiated(await conversation.read_exactly(length))


def read_negotiated(message: bytes) -> str:
    """Say what a NEGOTIATE was answered with; raise `NotThisProtocol`."""
    protocol, size, _, status, command, _, flags, *_ = _HEADER.unpack_from(message)
    if protocol != _PROTOCOL or size != _HEADER_SIZE or command != 0 or not flags & _IS_ANSWER:
        raise NotThisProtocol(f"answered {shown(message)}, which is no NEGOTIATE of SMB 2")
    body_size, mode, dialect = struct.unpack_from("<HHH", message, _HEADER_SIZE)
    if status:
        raise NotThisProtocol(f"speaks SMB, but refuses to negotiate with status {status:#010x}")
    if body_size != _ANSWER_SIZE or dialect not in _DIALECT_WORDS:
        raise NotThisProtocol("answered NEGOTIATE with an unknown dialect")
    signing = "required" if mode & _SIGNING_REQUIRED else "possible"
    return f"SMB {_DIALECT_WORDS[dialect]}, signing {signing}"


async def answer_smb(conversation: Conversation) -> None:
    """Answer a NEGOTIATE."""
    length = int.from_bytes(await conversation.read_exactly(4), "big")
    if not _HEADER_SIZE <= length <= _LONGEST_MESSAGE:
        raise NotThisProtocol("no message of SMB came")
    if (await conversation.read_exactly(length))[:4] != _PROTOCOL:
        raise NotThisProtocol("no message of SMB 2 came")
    body = struct.pack("<HHHH", _ANSWER_SIZE, _SIGNING_ENABLED, _DIALECTS[-1], 0) + bytes(_ANSWER_SIZE - 8)
    await conversation.send(_direct(_header(_IS_ANSWER) + body))


PROBE = Probe("smb", "SMB", ask_smb, answer_smb, services=("smb",))
