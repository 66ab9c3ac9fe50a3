"""HTTPS: TLS from the first byte, then a GET of the root."""

from controlroom.network.probes.http import ask_http
from controlroom.network.probes.http_stand_in import answer_http
from controlroom.network.probes.interface import Probe, Wrapping

PROBE = Probe(
    "https",
    "HTTPS",
    ask_http,
    answer_http,
    services=("control-room-https", "oidc", "git-https", "object-store", "package-index", "webhook"),
    wrapping=Wrapping.TLS,
)
