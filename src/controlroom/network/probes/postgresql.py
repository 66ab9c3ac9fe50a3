"""PostgreSQL: SSLRequest, TLS where it is offered, and a startup message (protocol 3.0, "Message Formats")."""

from controlroom.network.probes.conversation import Conversation, plain, shown
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe

_SSL_REQUEST = (80_877_103).to_bytes(4, "big")
_PROTOCOL_3 = (3 << 16).to_bytes(4, "big")
_NAME = b"controlroom_probe"
_LONGEST_MESSAGE = 4096
_LONGEST_ERROR = 30_000
_METHODS = {
    0: "no password asked for",
    2: "Kerberos",
    3: "password in the clear",
    5: "MD5",
    7: "GSSAPI",
    9: "SSPI",
    10: "SCRAM",
}


def untagged(content: bytes) -> bytes:
    """Return a message without a type, as a client's first are."""
    return (len(content) + 4).to_bytes(4, "big") + content


def tagged(kind: bytes, content: bytes) -> bytes:
    """Return a message with its type."""
    return kind + untagged(content)


async def ask_postgresql(conversation: Conversation) -> str:
    """Return how the server would have a user sign in, or what it says against one that it does not know."""
    await conversation.send(untagged(_SSL_REQUEST))
    offer = await conversation.read_exactly(1)
    if offer == b"S":
        await conversation.start_tls()
    elif offer != b"N":
        raise NotThisProtocol(f"answered {shown(offer)} to a wish for TLS")
    fields = b"user\0" + _NAME + b"\0database\0" + _NAME + b"\0\0"
    await conversation.send(untagged(_PROTOCOL_3 + fields))
    header = await conversation.read_exactly(5)
    kind, length = header[:1], int.from_bytes(header[1:], "big") - 4
    if kind == b"R" and 4 <= length <= _LONGEST_MESSAGE:
        method = int.from_bytes((await conversation.read_exactly(length))[:4], "big")
        if method in _METHODS:
            return f"PostgreSQL, sign-in by {_METHODS[method]}"
    elif kind == b"E" and 4 <= length <= _LONGEST_ERROR:
        fields_told = read_fields(await conversation.read_exactly(length))
        if "C" in fields_told:
            return f"PostgreSQL, says {fields_told['C']}: {fields_told.get('M', '')}"
    raise NotThisProtocol(f"answered {shown(header)} to a startup message")


def read_fields(content: bytes) -> dict[str, str]:
    """Read the fields of an error message, each a letter and a text."""
    fields = {}
    for part in content.split(b"\0"):
        if part[:1].isalpha():
            fields[part[:1].decode("ascii")] = plain(part[1:])
    return fields


async def answer_postgresql(conversation: Conversation) -> None:
    """Offer no TLS, and refuse the user."""
    await _read_untagged(conversation)
    await conversation.send(b"N")
    await _read_untagged(conversation)
    told = (
        b"SFATAL",
        b"VFATAL",
        b"C57P03",
        b"Mthis is a stand-in of controlroom network check --listen",
        b"",
    )
    await conversation.send(tagged(b"E", b"\0".join(told) + b"\0"))


async def _read_untagged(conversation: Conversation) -> bytes:
    length = int.from_bytes(await conversation.read_exactly(4), "big")
    if not 8 <= length <= _LONGEST_MESSAGE:
        raise NotThisProtocol("no message of PostgreSQL came")
    return await conversation.read_exactly(length - 4)


PROBE = Probe("postgresql", "PostgreSQL", ask_postgresql, answer_postgresql, services=("postgresql",))
