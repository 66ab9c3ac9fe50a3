"""The runner's link: a WebSocket over TLS at the Control Room's own path; a proxy in between would show here."""

from controlroom.network.probes.conversation import Conversation
from controlroom.network.probes.http_stand_in import answer_http
from controlroom.network.probes.interface import Probe, Wrapping
from controlroom.network.probes.websocket import ask_websocket

# Where the Control Room takes links; a test keeps it equal to the protocol's own constant.
PATH = "/runner/v1/link"


async def ask_runner_link(conversation: Conversation) -> str:
    """Return what came of an upgrade at the link's path."""
    return await ask_websocket(conversation, PATH)


PROBE = Probe(
    "runner-link",
    "Runner link (WebSocket over TLS)",
    ask_runner_link,
    answer_http,
    flows=("runner-link",),
    wrapping=Wrapping.TLS,
)
