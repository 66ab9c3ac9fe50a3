"""AMQP 0-9-1: the protocol header, answered by connection.start (specification, 4.2.2)."""

from controlroom.network.probes.conversation import Conversation, plain, shown
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe, Wrapping

_HEADER = b"AMQP\x00\x00\x09\x01"
_METHOD_FRAME, _FRAME_END = 1, 0xCE
_CONNECTION_START = bytes((0, 10, 0, 10))
_LONGEST_FRAME = 16 * 1024


async def ask_amqp(conversation: Conversation) -> str:
    """Return the broker's version of the protocol, its product and its ways to sign in."""
    await conversation.send(_HEADER)
    start = await conversation.read_exactly(7)
    if start[:4] == b"AMQP":
        raise NotThisProtocol(f"speaks another AMQP: {shown(start + await conversation.read_exactly(1))}")
    length = int.from_bytes(start[3:7], "big")
    if start[:3] != bytes((_METHOD_FRAME, 0, 0)) or not 12 <= length <= _LONGEST_FRAME:
        raise NotThisProtocol(f"answered {shown(start)} to the header of AMQP")
    frame = await conversation.read_exactly(length + 1)
    if frame[:4] != _CONNECTION_START or frame[-1] != _FRAME_END:
        raise NotThisProtocol("answered with something else than connection.start")
    return read_start(frame[4:-1])


def read_start(arguments: bytes) -> str:
    """Say what connection.start tells; raise `NotThisProtocol` where its fields run over the end."""
    major, minor = arguments[0], arguments[1]
    table_end = 6 + int.from_bytes(arguments[2:6], "big")
    mechanisms, _ = _long_string(arguments, table_end)
    words = [f"AMQP {major}-{minor}"]
    table = arguments[6:table_end]
    for key in (b"\x07productS", b"\x07versionS"):
        if key in table:
            words.append(plain(_long_string(table, table.index(key) + len(key))[0], 40))
    return f"{' '.join(words)}, sign-in by {plain(mechanisms)}"


def _long_string(data: bytes, place: int) -> tuple[bytes, int]:
    end = place + 4 + int.from_bytes(data[place : place + 4], "big")
    if place + 4 > len(data) or end > len(data):
        raise NotThisProtocol("connection.start runs over its end")
    return data[place + 4 : end], end


async def answer_amqp(conversation: Conversation) -> None:
    """Answer the header with connection.start."""
    if await conversation.read_exactly(8) != _HEADER:
        raise NotThisProtocol("no header of AMQP came")
    table = b"\x07productS\x00\x00\x00\x08stand-in"
    content = _CONNECTION_START + bytes((0, 9)) + len(table).to_bytes(4, "big") + table
    for text in (b"PLAIN", b"en_US"):
        content += len(text).to_bytes(4, "big") + text
    frame = bytes((_METHOD_FRAME, 0, 0)) + len(content).to_bytes(4, "big") + content + bytes((_FRAME_END,))
    await conversation.send(frame)


PROBE = Probe(
    "amqp",
    "AMQP 0-9-1",
    ask_amqp,
    answer_amqp,
    services=("cluster-messaging",),
    wrapping=Wrapping.EITHER,
)
