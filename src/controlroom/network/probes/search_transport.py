"""The transport of Elasticsearch and OpenSearch: a keep-alive ping comes back, and HTTP is turned away in their words.

Both hold in every version, while the versioned handshake of nodes would not. The ping is the frame "ES" with the
length -1, which a server sends back; to what looks like HTTP the transport says that this is no port for it.
"""

from controlroom.network.probes.conversation import Conversation, shown
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe, Wrapping

_KEEP_ALIVE = b"ES\xff\xff\xff\xff"
_HTTP = b"GET / HTTP/1.0\r\n\r\n"
# Version 5 said "a", all later ones say "an".
_REFUSALS = (b"This is not an HTTP port", b"This is not a HTTP port")


async def ask_search_transport(conversation: Conversation) -> str:
    """Return that the ping came back and HTTP was turned away."""
    await conversation.send(_KEEP_ALIVE)
    echo = await conversation.read_exactly(len(_KEEP_ALIVE))
    if echo != _KEEP_ALIVE:
        raise NotThisProtocol(f"answered {shown(echo)} to a keep-alive of the transport")
    await conversation.send(_HTTP)
    words = await conversation.read_exactly(len(_REFUSALS[1]))
    if not any(refusal.startswith(words) for refusal in _REFUSALS):
        raise NotThisProtocol(f"sent the keep-alive back, but then {shown(words)}")
    return "search transport, keep-alive answered"


async def answer_search_transport(conversation: Conversation) -> None:
    """Send the ping back and turn HTTP away."""
    if await conversation.read_exactly(len(_KEEP_ALIVE)) != _KEEP_ALIVE:
        raise NotThisProtocol("no keep-alive came")
    await conversation.send(_KEEP_ALIVE)
    await conversation.read_exactly(6)
    await conversation.send(_REFUSALS[0])


PROBE = Probe(
    "search-transport",
    "Elasticsearch or OpenSearch transport",
    ask_search_transport,
    answer_search_transport,
    services=("search-transport", "iq-search-transport"),
    wrapping=Wrapping.EITHER,
)
