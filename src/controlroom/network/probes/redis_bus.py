"""The Redis Cluster bus: a PING from nobody, answered by a PONG (cluster_legacy.h, version 1 of the header).

It is no MEET, so that no node takes the sender into the cluster.
"""

import secrets
import struct

from controlroom.network.probes.conversation import Conversation, plain, shown
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe, Wrapping

# sig, totlen, ver, port, type, count, currentEpoch, configEpoch, offset, sender, myslots, slaveof, myip, extensions,
# notused, pport, cport, flags, state, mflags: without gossip this is the whole message.
_MESSAGE = struct.Struct(">4sIHHHHQQQ40s2048s40s46sH30sHHHB3s")
_SIGNATURE, _VERSION = b"RCmb", 1
_PING, _PONG, _MASTER = 0, 1, 1
_START = struct.Struct(">4sIHHH")
_LONGEST_MESSAGE = 64 * 1024


def message(kind: int, sender: bytes) -> bytes:
    """Return a message without gossip, slots or addresses."""
    return _MESSAGE.pack(
        _SIGNATURE,
        _MESSAGE.size,
        _VERSION,
        0,
        kind,
        0,
        0,
        0,
        0,
        sender,
        b"",
        b"",
        b"",
        0,
        b"",
        0,
        0,
        _MASTER,
        1,
        b"",
    )


async def ask_redis_bus(conversation: Conversation) -> str:
    """Return the name of the node that answered, shortened."""
    await conversation.send(message(_PING, secrets.token_hex(20).encode()))
    start = await conversation.read_exactly(_START.size)
    signature, length, version, _, kind = _START.unpack(start)
    if signature != _SIGNATURE or not _MESSAGE.size <= length <= _LONGEST_MESSAGE:
        raise NotThisProtocol(f"answered {shown(start)} to a PING of the cluster bus")
    if kind != _PONG:
        raise NotThisProtocol(f"speaks the cluster bus, but sent a message of kind {kind} instead of a PONG")
    whole = start + await conversation.read_exactly(_MESSAGE.size - len(start))
    node = plain(_MESSAGE.unpack(whole)[9], 8)
    return f"Redis Cluster bus, version {version}, node {node}…"


async def answer_redis_bus(conversation: Conversation) -> None:
    """Answer a PING with a PONG of a node that nobody knows."""
    if (await conversation.read_exactly(_MESSAGE.size))[:4] != _SIGNATURE:
        raise NotThisProtocol("no message of the cluster bus came")
    await conversation.send(message(_PONG, b"0" * 40))


PROBE = Probe(
    "redis-bus",
    "Redis Cluster bus",
    ask_redis_bus,
    answer_redis_bus,
    services=("cluster-caching-bus",),
    wrapping=Wrapping.EITHER,
)
