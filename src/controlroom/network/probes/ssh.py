"""SSH: the lines of identification (RFC 4253, 4.2)."""

from controlroom.network.probes.conversation import Conversation, plain
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe

_IDENTIFICATION = b"SSH-2.0-controlroom_probe\r\n"
_VERSIONS = (b"SSH-2.0-", b"SSH-1.99-")
# A server may say something else before; sensible ones say nothing.
_MOST_LINES = 10


async def ask_ssh(conversation: Conversation) -> str:
    """Return the server's identification."""
    for _ in range(_MOST_LINES):
        line = await conversation.read_until(b"\n", most=1024)
        if line.startswith(_VERSIONS):
            await conversation.send(_IDENTIFICATION)
            return plain(line, 80)
        if not line[:1].isascii() or line[:1] < b" ":
            break
    raise NotThisProtocol(f"greeted with {conversation.heard}, which is no SSH")


async def answer_ssh(conversation: Conversation) -> None:
    """Identify as a stand-in and wait for the client's line."""
    await conversation.send(b"SSH-2.0-controlroom_stand_in\r\n")
    await conversation.read_until(b"\n", most=1024)


PROBE = Probe("ssh", "SSH", ask_ssh, answer_ssh, services=("ssh",))
