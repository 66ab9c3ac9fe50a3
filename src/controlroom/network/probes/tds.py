"""TDS of Microsoft SQL Server: a PRELOGIN and its answer, which names version and encryption (MS-TDS 2.2.6.5)."""

from controlroom.network.probes.conversation import Conversation, shown
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe

_PRELOGIN, _TABULAR_RESULT, _END_OF_MESSAGE = 0x12, 0x04, 0x01
_HEADER_BYTES = 8
_VERSION, _ENCRYPTION, _INSTANCE, _THREAD, _MARS, _TERMINATOR = 0, 1, 2, 3, 4, 0xFF
_LONGEST_PACKET = 4096
_ENCRYPTION_WORDS = {
    0: "encryption of the login alone",
    1: "encryption on",
    2: "no encryption there",
    3: "encryption required",
}


def packet(kind: int, content: bytes) -> bytes:
    """Return one packet that is a message of its own (MS-TDS 2.2.3.1)."""
    length = (_HEADER_BYTES + len(content)).to_bytes(2, "big")
    return bytes((kind, _END_OF_MESSAGE)) + length + bytes((0, 0, 1, 0)) + content


def prelogin(options: dict[int, bytes]) -> bytes:
    """Return the content of a PRELOGIN: a table of tokens with their places, then the data."""
    place = 5 * len(options) + 1
    table, data = b"", b""
    for token, value in options.items():
        table += bytes((token,)) + (place + len(data)).to_bytes(2, "big") + len(value).to_bytes(2, "big")
        data += value
    return table + bytes((_TERMINATOR,)) + data


def read_prelogin(content: bytes) -> dict[int, bytes]:
    """Read the options of a PRELOGIN answer; raise `NotThisProtocol` where one lies outside of it."""
    options: dict[int, bytes] = {}
    place = 0
    while place < len(content) and content[place] != _TERMINATOR:
        token, where, length = (
            content[place],
            int.from_bytes(content[place + 1 : place + 3], "big"),
            int.from_bytes(content[place + 3 : place + 5], "big"),
        )
        if place + 5 > len(content) or where + length > len(content):
            raise NotThisProtocol("the PRELOGIN answer points outside of itself")
        options[token] = content[where : where + length]
        place += 5
    if (
        place >= len(content)
        or len(options.get(_VERSION, b"")) != 6
        or len(options.get(_ENCRYPTION, b"")) != 1
    ):
        raise NotThisProtocol("the PRELOGIN answer has no version or no encryption in it")
    return options


GREETING = packet(
    _PRELOGIN,
    prelogin(
        {
            # The client's version is of no consequence to a server.
            _VERSION: bytes((0, 0, 0, 0, 0, 0)),
            # "Not supported": the server says what it would demand, and nothing is begun.
            _ENCRYPTION: b"\x02",
            _INSTANCE: b"\x00",
            _THREAD: bytes(4),
            _MARS: b"\x00",
        }
    ),
)


async def ask_tds(conversation: Conversation) -> str:
    """Return the server's version and what it says of encryption."""
    await conversation.send(GREETING)
    header = await conversation.read_exactly(_HEADER_BYTES)
    length = int.from_bytes(header[2:4], "big")
    if header[:2] != bytes((_TABULAR_RESULT, _END_OF_MESSAGE)) or not 14 <= length <= _LONGEST_PACKET:
        raise NotThisProtocol(f"answered {shown(header)}, which is no answer to a PRELOGIN")
    options = read_prelogin(await conversation.read_exactly(length - _HEADER_BYTES))
    major, minor, build = options[_VERSION][0], options[_VERSION][1], options[_VERSION][2:4]
    encryption = _ENCRYPTION_WORDS.get(options[_ENCRYPTION][0])
    if encryption is None:
        raise NotThisProtocol("the PRELOGIN answer has an unknown kind of encryption")
    return f"SQL Server {major}.{minor}.{int.from_bytes(build, 'big')}, {encryption}"


async def answer_tds(conversation: Conversation) -> None:
    """Answer a PRELOGIN."""
    header = await conversation.read_exactly(_HEADER_BYTES)
    if header[0] != _PRELOGIN:
        raise NotThisProtocol("no PRELOGIN came")
    await conversation.read_exactly(int.from_bytes(header[2:4], "big") - _HEADER_BYTES)
    await conversation.send(
        packet(_TABULAR_RESULT, prelogin({_VERSION: bytes(6), _ENCRYPTION: b"\x02", _INSTANCE: b"\x00"}))
    )


PROBE = Probe("tds", "TDS (SQL Server)", ask_tds, answer_tds, services=("sql-server",))
