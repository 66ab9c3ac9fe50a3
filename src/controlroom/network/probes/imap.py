"""IMAP: greeting and CAPABILITY (RFC 9051, 7.1 and 6.1.1)."""

from controlroom.network.probes.conversation import Conversation, plain
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe

_GREETINGS = (b"* OK", b"* PREAUTH")
_MOST_LINES = 10


async def ask_imap(conversation: Conversation) -> str:
    """Return the server's greeting and version."""
    greeting = await conversation.read_until(b"\n")
    if not greeting.startswith(_GREETINGS):
        raise NotThisProtocol(f"greeted with {conversation.heard}, which is no IMAP")
    await conversation.send(b"p1 CAPABILITY\r\n")
    version = ""
    for _ in range(_MOST_LINES):
        line = await conversation.read_until(b"\n")
        if line.startswith(b"* CAPABILITY "):
            version = next((plain(word) for word in line.split() if word.upper().startswith(b"IMAP4")), "")
        elif line.startswith(b"p1 OK") and version:
            await conversation.send(b"p2 LOGOUT\r\n")
            return f"{version}, {plain(greeting[2:], 60)}"
    raise NotThisProtocol("greets like IMAP, but does not tell what it can")


async def answer_imap(conversation: Conversation) -> None:
    """Greet, tell the version and go."""
    await conversation.send(b"* OK controlroom stand-in\r\n")
    if not (await conversation.read_until(b"\n", most=1024)).upper().endswith(b"CAPABILITY\r\n"):
        raise NotThisProtocol("no CAPABILITY came")
    await conversation.send(b"* CAPABILITY IMAP4rev1\r\np1 OK done\r\n")
    await conversation.read_until(b"\n", most=1024)


PROBE = Probe("imap", "IMAP", ask_imap, answer_imap)
