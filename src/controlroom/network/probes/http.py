"""HTTP: a GET of the root, answered with any status."""

from controlroom.network.probes.conversation import Conversation
from controlroom.network.probes.http_messages import read_head, request
from controlroom.network.probes.http_stand_in import answer_http
from controlroom.network.probes.interface import Probe


async def ask_http(conversation: Conversation) -> str:
    """Return the status and the server's name."""
    await conversation.send(request("GET", "/", conversation))
    return str(await read_head(conversation))


PROBE = Probe(
    "http",
    "HTTP",
    ask_http,
    answer_http,
    services=("control-room-http", "control-room-web", "telemetry"),
)
