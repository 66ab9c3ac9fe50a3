"""DNS messages for a greeting: a question for the root's name servers, and its answer, whatever it says (RFC 1035, 4.1)."""

import secrets
import struct

from controlroom.network.probes.errors import NotThisProtocol

_HEADER = struct.Struct(">HHHHHH")
_ANSWER_BIT, _RECURSION_WANTED, _CODE_MASK, _OPCODE_MASK, _RESERVED = 0x8000, 0x0100, 0x000F, 0x7800, 0x0040
# The root, its name servers, class Internet: the shortest question there is, and one that tells nothing.
_QUESTION = b"\x00\x00\x02\x00\x01"
_REFUSED = 5
_CODES = {
    0: "answered",
    1: "did not understand the question",
    2: "could not find out",
    3: "says that there is no root",
    4: "does not answer such questions",
    5: "refuses to answer this machine",
}


def question() -> bytes:
    """Return a question with a number that cannot be guessed."""
    return _HEADER.pack(secrets.randbits(16), _RECURSION_WANTED, 1, 0, 0, 0) + _QUESTION


def read_answer(asked: bytes, data: bytes) -> str:
    """Say what a question was answered with; raise `NotThisProtocol` where it is no answer to it."""
    if len(data) < _HEADER.size:
        raise NotThisProtocol("answered with what is too short for DNS")
    number, flags, questions, answers, _, _ = _HEADER.unpack_from(data)
    code = flags & _CODE_MASK
    echoed = questions == 0 or (questions == 1 and data[12:17] == _QUESTION)
    if (
        number != int.from_bytes(asked[:2], "big")
        or not flags & _ANSWER_BIT
        or flags & (_OPCODE_MASK | _RESERVED)
        or code not in _CODES
        or not echoed
    ):
        raise NotThisProtocol("answered with what is no answer of DNS to the question")
    return f"DNS, {_CODES[code]}, {answers} records"


def refusal(asked: bytes) -> bytes:
    """Return the answer of a server that refuses."""
    if len(asked) < _HEADER.size:
        raise NotThisProtocol("no question of DNS came")
    return asked[:2] + _HEADER.pack(0, _ANSWER_BIT | _REFUSED, 1, 0, 0, 0)[2:] + asked[12:]
