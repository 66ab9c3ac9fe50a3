"""LDAP within TLS from the first byte."""

from controlroom.network.probes.interface import Probe, Wrapping
from controlroom.network.probes.ldap import answer_ldap, ask_ldap

PROBE = Probe("ldaps", "LDAP over TLS", ask_ldap, answer_ldap, services=("ldaps",), wrapping=Wrapping.TLS)
