"""TLS alone: a handshake, whatever is spoken within."""

from controlroom.network.probes.conversation import Conversation
from controlroom.network.probes.interface import Probe, Wrapping


async def ask_tls(_: Conversation) -> str:
    """Say that the handshake was done; the conversation holds what was agreed."""
    return "TLS handshake done"


async def answer_tls(_: Conversation) -> None:
    """Do no more than the handshake."""


PROBE = Probe("tls", "TLS", ask_tls, answer_tls, services=("syslog-tls",), wrapping=Wrapping.TLS)
