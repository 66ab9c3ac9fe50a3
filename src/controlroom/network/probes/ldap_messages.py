"""LDAP messages for an anonymous greeting (RFC 4511): bind, the root entry, StartTLS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from controlroom.network.probes.ber import (
    BOOLEAN,
    ENUMERATED,
    INTEGER,
    OCTETS,
    SEQUENCE,
    SET,
    elements,
    encode,
    encode_integer,
    read_header,
    read_integer,
    within,
)
from controlroom.network.probes.conversation import Conversation, plain
from controlroom.network.probes.errors import NotThisProtocol

BIND, BIND_ANSWER = 0x60, 0x61
SEARCH, SEARCH_ENTRY, SEARCH_DONE = 0x63, 0x64, 0x65
EXTENDED, EXTENDED_ANSWER = 0x77, 0x78
START_TLS = b"1.3.6.1.4.1.1466.20037"
_SIMPLE, _PRESENT, _REQUEST_NAME = 0x80, 0x87, 0x80
_LONGEST_MESSAGE = 32 * 1024
_MOST_MESSAGES = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """One message of a server: its number, kind, result code and, of an entry, its attributes in lower case."""

    number: int
    kind: int
    code: int = 0
    words: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


def message(number: int, *operation: bytes) -> bytes:
    """Return a message with its number."""
    return encode(SEQUENCE, encode_integer(number), *operation)


def anonymous_bind(number: int) -> bytes:
    """Return a bind without name and password."""
    return message(number, encode(BIND, encode_integer(3), encode(OCTETS), encode(_SIMPLE)))


def root_search(number: int, attributes: Sequence[bytes]) -> bytes:
    """Return a search for some attributes of the root entry (RFC 4512, 5.1)."""
    limits = (
        encode_integer(0, ENUMERATED),
        encode_integer(0, ENUMERATED),
        encode_integer(1),
        encode_integer(3),
    )
    wanted = encode(SEQUENCE, *(encode(OCTETS, one) for one in attributes))
    return message(
        number,
        encode(
            SEARCH, encode(OCTETS), *limits, encode(BOOLEAN, b"\0"), encode(_PRESENT, b"objectClass"), wanted
        ),
    )


def start_tls(number: int) -> bytes:
    """Return a request for TLS (RFC 4511, 4.14)."""
    return message(number, encode(EXTENDED, encode(_REQUEST_NAME, START_TLS)))


def result(number: int, kind: int, code: int) -> bytes:
    """Return an answer with nothing but a code."""
    return message(number, encode(kind, encode_integer(code, ENUMERATED), encode(OCTETS), encode(OCTETS)))


def entry(number: int, attributes: Mapping[bytes, bytes]) -> bytes:
    """Return the root entry with single-valued attributes."""
    listed = (
        encode(SEQUENCE, encode(OCTETS, name), encode(SET, encode(OCTETS, value)))
        for name, value in attributes.items()
    )
    return message(number, encode(SEARCH_ENTRY, encode(OCTETS), encode(SEQUENCE, *listed)))


async def read_message(conversation: Conversation) -> bytes:
    """Read one whole message; raise `NotThisProtocol`."""
    head = await conversation.read_exactly(2)
    if head[0] == SEQUENCE and head[1] > 0x80:
        head += await conversation.read_exactly(min(head[1] & 0x7F, 4))
    try:
        tag, _, length = read_header(head)
    except ValueError as error:
        raise NotThisProtocol(f"answered {conversation.heard}, which is no LDAP: {error}") from None
    if tag != SEQUENCE or not 5 <= length <= _LONGEST_MESSAGE:
        raise NotThisProtocol(f"answered {conversation.heard}, which is no LDAP")
    return head + await conversation.read_exactly(length)


def parse_answer(data: bytes) -> Answer:
    """Read a server's message; raise `NotThisProtocol`."""
    try:
        (tag, number), (kind, content), *_ = within(data, SEQUENCE)
        if tag != INTEGER:
            raise ValueError("no message number")
        parts = list(elements(content))
        if kind == SEARCH_ENTRY:
            return Answer(read_integer(number), kind, attributes=_attributes(parts[1][1]))
        if kind not in {BIND_ANSWER, SEARCH_DONE, EXTENDED_ANSWER} or parts[0][0] != ENUMERATED:
            raise ValueError(f"an operation {kind:#x} that was not asked for")
        return Answer(read_integer(number), kind, read_integer(parts[0][1]), plain(parts[2][1]))
    except (ValueError, IndexError) as error:
        raise NotThisProtocol(f"answered with what is no LDAP: {error}") from None


def _attributes(content: bytes) -> dict[str, str]:
    found = {}
    for tag, pair in elements(content):
        if tag != SEQUENCE:
            raise ValueError("no attribute where one should be")
        (_, name), (_, values), *_ = elements(pair)
        found[plain(name).lower()] = ", ".join(plain(value) for _, value in elements(values))
    return found


async def expect(conversation: Conversation, number: int, kind: int) -> Answer:
    """Read the answer to one's own message; raise `NotThisProtocol` for any other."""
    answer = parse_answer(await read_message(conversation))
    if answer.number != number or answer.kind != kind:
        raise NotThisProtocol("answered with a message of LDAP that was not asked for")
    return answer


async def read_root(
    conversation: Conversation, number: int, attributes: Sequence[bytes]
) -> tuple[int, Mapping[str, str]]:
    """Search the root entry; return the result code and the attributes that were shown."""
    await conversation.send(root_search(number, attributes))
    shown: Mapping[str, str] = {}
    for _ in range(_MOST_MESSAGES):
        answer = parse_answer(await read_message(conversation))
        if answer.number != number:
            raise NotThisProtocol("answered a search with the number of another message")
        if answer.kind == SEARCH_DONE:
            return answer.code, shown
        shown = answer.attributes
    raise NotThisProtocol("the search of the root entry has no end")
