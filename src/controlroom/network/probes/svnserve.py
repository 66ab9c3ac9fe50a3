"""Subversion's own server: its greeting tells the versions that it speaks (svn protocol, "Version negotiation")."""

import re

from controlroom.network.probes.conversation import Conversation, shown
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe

_GREETING = re.compile(rb"\( success \( (\d{1,3}) (\d{1,3}) \( [A-Z0-9 -]*\) \( [a-z0-9 -]*\) \) \) ")
_START = b"( success ( "


async def ask_svnserve(conversation: Conversation) -> str:
    """Return the versions of the protocol that the server speaks."""
    start = await conversation.read_exactly(len(_START))
    if start != _START:
        raise NotThisProtocol(f"greeted with {shown(start)}, which is no svnserve")
    greeting = start + await conversation.read_until(b") ) ) ", most=2048)
    match = _GREETING.fullmatch(greeting)
    if match is None:
        raise NotThisProtocol("greets like svnserve, but tells no version")
    return f"svnserve, protocol {int(match[1])} to {int(match[2])}"


async def answer_svnserve(conversation: Conversation) -> None:
    """Greet."""
    await conversation.send(b"( success ( 2 2 ( ) ( edit-pipeline svndiff1 ) ) ) ")


PROBE = Probe("svnserve", "svnserve", ask_svnserve, answer_svnserve, services=("svnserve",))
