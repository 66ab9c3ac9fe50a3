"""Redis and Valkey: a PING (RESP), answered by PONG or by a word that only Redis says."""

from controlroom.network.probes.conversation import Conversation, plain, shown
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe, Wrapping

_PING = b"*1\r\n$4\r\nPING\r\n"
_PONG = b"+PONG\r\n"
# What else a PING can be answered with; "-ERR" is not among them, as mail servers say it too.
_OTHER_ANSWERS = (b"-NOAUTH ", b"-DENIED ", b"-LOADING ", b"-MASTERDOWN ", b"-NOPERM ", b"-BUSY ")


async def ask_redis(conversation: Conversation) -> str:
    """Return what a PING was answered with."""
    await conversation.send(_PING)
    line = await conversation.read_until(b"\r\n", most=1024)
    if line == _PONG:
        return "Redis, PING answered"
    if line.startswith(_OTHER_ANSWERS):
        return f"Redis, says {plain(line[1:], 60)}"
    raise NotThisProtocol(f"answered {shown(line)} to a PING of Redis")


async def answer_redis(conversation: Conversation) -> None:
    """Answer a PING."""
    if await conversation.read_exactly(len(_PING)) != _PING:
        raise NotThisProtocol("no PING came")
    await conversation.send(_PONG)


PROBE = Probe(
    "redis",
    "Redis data",
    ask_redis,
    answer_redis,
    services=("cluster-caching-data",),
    wrapping=Wrapping.EITHER,
)
