"""Subversion over HTTP: OPTIONS, whose answer names Subversion's own extensions of WebDAV.

Where the repositories are is known to their keeper alone: the usual place is asked, then the root. A server that
wants credentials before it shows anything is recognised only where its name tells of mod_dav_svn.
"""

from controlroom.network.probes.conversation import Conversation
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.http_messages import Head, read_head, request
from controlroom.network.probes.http_stand_in import answer_http
from controlroom.network.probes.interface import Probe

_PLACES = ("/svn/", "/")
_EXTENSIONS = "subversion.tigris.org/xmlns/dav/svn"
_MODULE = " svn/"
_WANTS_CREDENTIALS = (401, 403)


async def ask_svn_http(conversation: Conversation) -> str:
    """Return where Subversion was found and how it names itself."""
    seen: list[str] = []
    for number, place in enumerate(_PLACES):
        last = number == len(_PLACES) - 1
        fields = {"Connection": "close" if last else "keep-alive"}
        await conversation.send(request("OPTIONS", place, conversation, fields))
        head = await read_head(conversation)
        if found := recognise(head, place):
            return found
        seen.append(f"{head.status} at {place}")
        if last or not await _skip_body(conversation, head):
            break
    raise NotThisProtocol(f"HTTP, but nothing that is surely Subversion: {', '.join(seen)}")


def recognise(head: Head, place: str) -> str | None:
    """Say how Subversion showed itself in an answer, None where it did not."""
    if _EXTENSIONS in head.headers.get("dav", "") and head.status < 400:
        youngest = head.headers.get("svn-youngest-rev")
        return f"{head}, Subversion at {place}" + (f", revision {youngest[:12]}" if youngest else "")
    if head.status in _WANTS_CREDENTIALS and _MODULE in f" {head.headers.get('server', '').lower()}":
        return f"{head}, Subversion asks for credentials at {place}"
    return None


async def _skip_body(conversation: Conversation, head: Head) -> bool:
    """Read past the body of an answer, so that another can follow; say whether one can."""
    length = head.headers.get("content-length", "")
    if head.headers.get("connection", "").lower() == "close" or not (length.isdecimal() and len(length) < 6):
        return False
    await conversation.read_exactly(int(length))
    return True


PROBE = Probe("svn-http", "Subversion over HTTP", ask_svn_http, answer_http, services=("subversion-http",))
