"""Subversion over HTTPS."""

from controlroom.network.probes.http_stand_in import answer_http
from controlroom.network.probes.interface import Probe, Wrapping
from controlroom.network.probes.svn_http import ask_svn_http

PROBE = Probe(
    "svn-https",
    "Subversion over HTTPS",
    ask_svn_http,
    answer_http,
    services=("subversion-https",),
    wrapping=Wrapping.TLS,
)
