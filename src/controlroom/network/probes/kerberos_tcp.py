"""Kerberos over TCP: a request for a ticket of nobody, refused; the refusal tells the server's clock (RFC 4120, 7.2.2)."""

from controlroom.network.probes.conversation import Conversation
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe
from controlroom.network.probes.kerberos_messages import error_message, read_answer, request

_LONGEST_MESSAGE = 16 * 1024


async def ask_kerberos(conversation: Conversation) -> str:
    """Return what the server says of nobody, and how far the clocks are apart."""
    asked = request()
    await conversation.send(len(asked).to_bytes(4, "big") + asked)
    return read_answer(await _read(conversation), conversation.now())


async def answer_kerberos(conversation: Conversation) -> None:
    """Refuse whoever asks."""
    await _read(conversation)
    refusal = error_message(conversation.now())
    await conversation.send(len(refusal).to_bytes(4, "big") + refusal)


async def _read(conversation: Conversation) -> bytes:
    length = int.from_bytes(await conversation.read_exactly(4), "big")
    if not 0 < length <= _LONGEST_MESSAGE:
        raise NotThisProtocol(f"answered {conversation.heard}, which is no Kerberos")
    return await conversation.read_exactly(length)


PROBE = Probe("kerberos-tcp", "Kerberos over TCP", ask_kerberos, answer_kerberos, services=("kerberos-tcp",))
