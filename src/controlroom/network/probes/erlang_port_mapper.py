"""Erlang's port mapper: the list of its nodes (Erlang distribution protocol, "NAMES_REQ")."""

import re

from controlroom.network.probes.conversation import Conversation, plain, shown
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe

_NAMES_REQUEST = b"\x00\x01n"
_NODE = re.compile(rb"name (\S+) at port \d{1,5}")
_LONGEST_LIST = 4096


async def ask_erlang_port_mapper(conversation: Conversation) -> str:
    """Return the names of the nodes that are registered."""
    await conversation.send(_NAMES_REQUEST)
    port = int.from_bytes(await conversation.read_exactly(4), "big")
    lines = (await conversation.read_rest(_LONGEST_LIST)).splitlines()
    nodes = [match for line in lines if (match := _NODE.fullmatch(line))]
    if not 0 < port < 65_536 or len(nodes) != len(lines):
        raise NotThisProtocol(f"answered {shown(port.to_bytes(4, 'big'))}, which is no port mapper of Erlang")
    named = ", ".join(plain(node[1], 30) for node in nodes[:4])
    return f"Erlang port mapper, nodes: {named or 'none'}"


async def answer_erlang_port_mapper(conversation: Conversation) -> None:
    """Tell that no node is registered."""
    if await conversation.read_exactly(len(_NAMES_REQUEST)) != _NAMES_REQUEST:
        raise NotThisProtocol("no question for names came")
    await conversation.send((1).to_bytes(4, "big"))


PROBE = Probe(
    "erlang-port-mapper",
    "Erlang port mapper",
    ask_erlang_port_mapper,
    answer_erlang_port_mapper,
    services=("erlang-port-mapper",),
)
