"""Oracle TNS: a CONNECT for a service that nobody has; a listener that refuses it lives.

The packets are undocumented; the layout is that of what python-oracledb's thin mode sends, and a test compares them.
"""

import re
import struct

from controlroom.network.probes.conversation import Conversation, shown
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe, Wrapping

_CONNECT, _ACCEPT, _REFUSE, _REDIRECT, _RESEND = 1, 2, 4, 5, 11
# Length, checksum, type, flags, checksum of the header.
_HEADER = struct.Struct(">HHBBH")
# Version, oldest version, options, session and transport data unit, characteristics, turnaround, byte order, length
# and offset of the text, most to receive, two flags, reserved, large units, compression, more flags.
_BODY = struct.Struct(">HHHHHHHHHHIBB24sIIII")
_VERSION, _OLDEST, _OPTIONS, _UNIT, _CHARACTERISTICS, _FLAGS, _MORE_FLAGS = (
    319,
    300,
    0x401,
    8192,
    0x4F98,
    0x84,
    1,
)
_LONGEST_PACKET = 8192
_TEXT = b"(DESCRIPTION=(CONNECT_DATA=(SERVICE_NAME=controlroom-probe)(CID=(PROGRAM=controlroom-probe)(HOST=probe)(USER=probe))))"
_ERROR = re.compile(rb"\(ERR=(\d{1,5})\)")
_UNKNOWN_SERVICE = {12514, 12505}


def connect() -> bytes:
    """Return the CONNECT."""
    offset = _HEADER.size + _BODY.size
    body = _BODY.pack(
        _VERSION,
        _OLDEST,
        _OPTIONS,
        _UNIT,
        _UNIT,
        _CHARACTERISTICS,
        0,
        1,
        len(_TEXT),
        offset,
        0,
        _FLAGS,
        _FLAGS,
        b"",
        _UNIT,
        _UNIT,
        0,
        _MORE_FLAGS,
    )
    return packet(_CONNECT, body + _TEXT)


def packet(kind: int, content: bytes) -> bytes:
    """Return one packet."""
    return _HEADER.pack(_HEADER.size + len(content), 0, kind, 0, 0) + content


async def ask_tns(conversation: Conversation) -> str:
    """Return what the listener says to a service that it cannot know."""
    await conversation.send(connect())
    start = await conversation.read_exactly(_HEADER.size)
    length, checksum, kind, _, header_checksum = _HEADER.unpack(start)
    if checksum or header_checksum or not _HEADER.size <= length <= _LONGEST_PACKET:
        raise NotThisProtocol(f"answered {shown(start)}, which is no TNS")
    return read_reply(kind, await conversation.read_exactly(length - _HEADER.size))


def read_reply(kind: int, content: bytes) -> str:
    """Say what a listener replied; raise `NotThisProtocol`."""
    if kind == _RESEND and not content:
        return "Oracle listener, asks for the request once more"
    if kind == _ACCEPT and len(content) >= 16:
        version = int.from_bytes(content[:2], "big")
        if _OLDEST <= version <= 400:
            return f"Oracle listener, accepts, TNS version {version}"
    if kind == _REFUSE and (error := _ERROR.search(content)):
        code = int(error[1])
        what = "lives, and does not know the probe's service" if code in _UNKNOWN_SERVICE else "refuses"
        return f"Oracle listener, {what} (ORA-{code:05})"
    if kind == _REDIRECT and (b"(ADDRESS=" in content or len(content) == 2):
        return "Oracle listener, sends on to another port: that one must be open too"
    raise NotThisProtocol(f"answered with a packet of kind {kind} that a listener does not send")


async def answer_tns(conversation: Conversation) -> None:
    """Refuse as a listener does that does not know the service."""
    length, _, kind, _, _ = _HEADER.unpack(await conversation.read_exactly(_HEADER.size))
    if kind != _CONNECT or not _HEADER.size + _BODY.size <= length <= _LONGEST_PACKET:
        raise NotThisProtocol("no CONNECT came")
    await conversation.read_exactly(length - _HEADER.size)
    text = b"(DESCRIPTION=(ERR=12514)(VSNNUM=0)(ERROR_STACK=(ERROR=(CODE=12514)(EMFI=4))))"
    await conversation.send(packet(_REFUSE, b"\x22\x00" + len(text).to_bytes(2, "big") + text))


PROBE = Probe("tns", "Oracle TNS", ask_tns, answer_tns, services=("oracle",), wrapping=Wrapping.EITHER)
