"""Kerberos over UDP: a request for a ticket of nobody, refused; the refusal tells the server's clock (RFC 4120, 7.2.1)."""

from controlroom.network.catalogue import Transport
from controlroom.network.probes.conversation import Conversation
from controlroom.network.probes.interface import Probe
from controlroom.network.probes.kerberos_messages import error_message, read_answer, request


async def ask_kerberos_udp(conversation: Conversation) -> str:
    """Return what the server says of nobody, and how far the clocks are apart."""
    await conversation.send(request())
    return read_answer(await conversation.read_some(), conversation.now())


async def answer_kerberos_udp(conversation: Conversation) -> None:
    """Refuse whoever asks."""
    await conversation.read_some()
    await conversation.send(error_message(conversation.now()))


PROBE = Probe(
    "kerberos-udp",
    "Kerberos over UDP",
    ask_kerberos_udp,
    answer_kerberos_udp,
    services=("kerberos-udp",),
    transport=Transport.UDP,
)
