"""Elasticsearch and OpenSearch over HTTP: the root tells name and version, or asks for credentials as only they do."""

import json

from controlroom.network.probes.conversation import Conversation, plain
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.http_messages import read_head, request
from controlroom.network.probes.http_stand_in import answer_http
from controlroom.network.probes.interface import Probe, Wrapping

# Realms of Elasticsearch's and OpenSearch's own security.
_REALMS = ('realm="security"', 'realm="opensearch security"', 'realm="open distro security"')
_PRODUCT = "x-elastic-product"


async def ask_search_http(conversation: Conversation) -> str:
    """Return the cluster's name and version, or that it asks for credentials."""
    await conversation.send(request("GET", "/", conversation, {"Accept": "application/json"}))
    head = await read_head(conversation)
    if head.status == 401 and any(
        realm in head.headers.get("www-authenticate", "").lower() for realm in _REALMS
    ):
        return f"{head}, Elasticsearch or OpenSearch asks for credentials"
    if _PRODUCT in head.headers:
        return f"{head}, {plain(head.headers[_PRODUCT], 40)}"
    found = read_root(await conversation.read_rest(8 * 1024)) if head.status == 200 else None
    if found is None:
        raise NotThisProtocol(f"{head}, but neither Elasticsearch nor OpenSearch")
    return found


def read_root(body: bytes) -> str | None:
    """Say what the root's JSON tells of a cluster, None where it is not of one. The body may be in chunks."""
    start, end = body.find(b"{"), body.rfind(b"}")
    try:
        told = json.loads(body[start : end + 1])
        version = told["version"]
        kind = version.get("distribution", "elasticsearch")
        number, cluster = version["number"], told["cluster_name"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return f"{plain(str(kind), 20)} {plain(str(number), 20)}, cluster {plain(str(cluster), 40)}"


PROBE = Probe(
    "search-http",
    "Elasticsearch or OpenSearch HTTP",
    ask_search_http,
    answer_http,
    services=("search-http", "iq-search-http"),
    wrapping=Wrapping.EITHER,
)
