"""DNS over TCP: each message goes with its length before it (RFC 1035, 4.2.2)."""

from controlroom.network.probes.conversation import Conversation
from controlroom.network.probes.dns_messages import question, read_answer, refusal
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe

_LONGEST_MESSAGE = 16 * 1024


async def ask_dns_tcp(conversation: Conversation) -> str:
    """Return how the question was answered."""
    asked = question()
    await conversation.send(len(asked).to_bytes(2, "big") + asked)
    return read_answer(asked, await _read(conversation))


async def answer_dns_tcp(conversation: Conversation) -> None:
    """Refuse to answer."""
    answer = refusal(await _read(conversation))
    await conversation.send(len(answer).to_bytes(2, "big") + answer)


async def _read(conversation: Conversation) -> bytes:
    length = int.from_bytes(await conversation.read_exactly(2), "big")
    if length > _LONGEST_MESSAGE:
        raise NotThisProtocol(f"answered {conversation.heard}, which is no DNS")
    return await conversation.read_exactly(length)


PROBE = Probe("dns-tcp", "DNS over TCP", ask_dns_tcp, answer_dns_tcp, services=("dns-tcp",))
