"""DNS over UDP."""

from controlroom.network.catalogue import Transport
from controlroom.network.probes.conversation import Conversation
from controlroom.network.probes.dns_messages import question, read_answer, refusal
from controlroom.network.probes.interface import Probe


async def ask_dns_udp(conversation: Conversation) -> str:
    """Return how the question was answered."""
    asked = question()
    await conversation.send(asked)
    return read_answer(asked, await conversation.read_some())


async def answer_dns_udp(conversation: Conversation) -> None:
    """Refuse to answer."""
    await conversation.send(refusal(await conversation.read_some()))


PROBE = Probe(
    "dns-udp",
    "DNS over UDP",
    ask_dns_udp,
    answer_dns_udp,
    services=("dns-udp",),
    transport=Transport.UDP,
)
