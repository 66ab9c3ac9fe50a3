"""The global catalogue of Active Directory within TLS from the first byte."""

from controlroom.network.probes.global_catalogue import ask_global_catalogue
from controlroom.network.probes.interface import Probe, Wrapping
from controlroom.network.probes.ldap import answer_ldap

PROBE = Probe(
    "global-catalogue-tls",
    "LDAP global catalogue over TLS",
    ask_global_catalogue,
    answer_ldap,
    services=("global-catalogue-tls",),
    wrapping=Wrapping.TLS,
)
