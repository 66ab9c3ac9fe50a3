"""A TCP connection alone, where nobody told which protocol is spoken."""

from controlroom.network.probes.conversation import Conversation
from controlroom.network.probes.interface import Probe


async def ask_tcp(_: Conversation) -> str:
    """Say that something took the connection."""
    return "something took the connection; which protocol it speaks was not asked"


async def answer_tcp(_: Conversation) -> None:
    """Take the connection and close it."""


PROBE = Probe("tcp", "TCP connection", ask_tcp, answer_tcp, services=("client-internal",), proves=False)
