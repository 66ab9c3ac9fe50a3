"""SMTP: greeting, EHLO, and STARTTLS where it is offered (RFC 5321, RFC 3207); within TLS at once where that is spoken.

One probe serves all the ports of mail: in the clear first, and within TLS where a server waits for that.
"""

from controlroom.network.probes.conversation import Conversation, plain
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe, Wrapping

_NAME = b"controlroom-probe.invalid"
_MOST_LINES = 50


async def ask_smtp(conversation: Conversation) -> str:
    """Return the server's greeting and what it offers."""
    code, greeting = await _read_reply(conversation)
    if code != 220:
        raise NotThisProtocol(f"turns everybody away: {code} {plain(greeting[0], 80)}")
    offers = await _hello(conversation)
    security = "no STARTTLS offered"
    if conversation.security:
        security = "within TLS"
    elif b"STARTTLS" in offers:
        await conversation.send(b"STARTTLS\r\n")
        code, words = await _read_reply(conversation)
        if code == 220:
            await conversation.start_tls()
            offers = await _hello(conversation)
            security = "STARTTLS done"
        else:
            security = f"STARTTLS offered, but answered {code} {plain(words[0], 60)}"
    await conversation.send(b"QUIT\r\n")
    sign_in = ", sign-in offered" if any(offer.startswith(b"AUTH") for offer in offers) else ""
    return f"SMTP, {plain(greeting[0], 60)}, {security}{sign_in}"


async def _hello(conversation: Conversation) -> list[bytes]:
    await conversation.send(b"EHLO " + _NAME + b"\r\n")
    code, lines = await _read_reply(conversation)
    if code != 250:
        raise NotThisProtocol(f"answers EHLO with {code} {plain(lines[0], 80)}")
    return [line.upper() for line in lines[1:]]


async def _read_reply(conversation: Conversation) -> tuple[int, list[bytes]]:
    """Read a reply of one or more lines; return its code and its texts."""
    texts: list[bytes] = []
    code = b""
    for _ in range(_MOST_LINES):
        line = (await conversation.read_until(b"\n", most=1024)).rstrip(b"\r\n")
        if not line[:3].isdigit() or line[3:4] not in {b" ", b"-", b""} or (code and line[:3] != code):
            raise NotThisProtocol(f"answered {conversation.heard}, which is no SMTP")
        code = line[:3]
        texts.append(line[4:])
        if line[3:4] != b"-":
            return int(code), texts
    raise NotThisProtocol(f"a reply of SMTP with more than {_MOST_LINES} lines")


async def answer_smtp(conversation: Conversation) -> None:
    """Greet, answer EHLO and go."""
    await conversation.send(b"220 controlroom-stand-in.invalid ESMTP\r\n")
    if not (await conversation.read_until(b"\n", most=1024)).upper().startswith(b"EHLO"):
        raise NotThisProtocol("no EHLO came")
    await conversation.send(b"250 controlroom-stand-in.invalid\r\n")
    await conversation.read_until(b"\n", most=1024)
    await conversation.send(b"221 goodbye\r\n")


PROBE = Probe("smtp", "SMTP", ask_smtp, answer_smtp, services=("smtp",), wrapping=Wrapping.EITHER)
