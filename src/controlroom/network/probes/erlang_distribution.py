"""Erlang distribution between nodes: a name, answered by a status (Erlang distribution protocol, "Distribution handshake").

It stops before the challenge, so that no cookie is needed and no node is joined.
"""

from controlroom.network.probes.conversation import Conversation, plain, shown
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe, Wrapping

_NAME = b"controlroom_probe@probe.invalid"
# What every node of version 25 and later demands (erts, dist.hrl: DFLAG_DIST_MANDATORY), and the new handshake.
_FLAGS = (
    0x4
    | 0x10
    | 0x80
    | 0x100
    | 0x200
    | 0x400
    | 0x800
    | 0x1_0000
    | 0x2_0000
    | 0x4_0000
    | 0x100_0000
    | 0x200_0000
) | 1 << 34
_SEND_NAME, _STATUS = b"N", b"s"
_STATUSES = (b"ok", b"ok_simultaneous", b"nok", b"not_allowed", b"alive")
_LONGEST_STATUS = 300


def _told(content: bytes) -> bytes:
    return len(content).to_bytes(2, "big") + content


async def ask_erlang_distribution(conversation: Conversation) -> str:
    """Return the status that a node gives to one that it does not know."""
    name = _SEND_NAME + _FLAGS.to_bytes(8, "big") + bytes(4) + _told(_NAME)
    await conversation.send(_told(name))
    length = int.from_bytes(await conversation.read_exactly(2), "big")
    if not 3 <= length <= _LONGEST_STATUS:
        raise NotThisProtocol(f"answered {conversation.heard}, which is no node of Erlang")
    answer = await conversation.read_exactly(length)
    if answer[:1] != _STATUS or not answer[1:].startswith(_STATUSES):
        raise NotThisProtocol(f"answered {shown(answer)} to the name of a node")
    return f"Erlang distribution, status {plain(answer[1:], 30)}"


async def answer_erlang_distribution(conversation: Conversation) -> None:
    """Say that nobody is let in."""
    length = int.from_bytes(await conversation.read_exactly(2), "big")
    if not 12 <= length <= _LONGEST_STATUS:
        raise NotThisProtocol("no name of a node came")
    await conversation.read_exactly(length)
    await conversation.send(_told(_STATUS + b"not_allowed"))


PROBE = Probe(
    "erlang-distribution",
    "Erlang distribution",
    ask_erlang_distribution,
    answer_erlang_distribution,
    services=("erlang-distribution",),
    wrapping=Wrapping.EITHER,
)
