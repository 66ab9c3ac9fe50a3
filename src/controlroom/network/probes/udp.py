"""A datagram alone, where nobody told which protocol is spoken: only an answer shows that it arrived."""

from controlroom.network.catalogue import Transport
from controlroom.network.probes.conversation import Conversation, shown
from controlroom.network.probes.interface import Probe


async def ask_udp(conversation: Conversation) -> str:
    """Return what came back."""
    await conversation.send(b"controlroom-probe")
    return f"answered {shown(await conversation.read_some())}"


async def answer_udp(conversation: Conversation) -> None:
    """Send back what came."""
    await conversation.send(await conversation.read_some())


PROBE = Probe("udp", "UDP datagram", ask_udp, answer_udp, transport=Transport.UDP, proves=False)
