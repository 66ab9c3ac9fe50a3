"""IMAP within TLS from the first byte."""

from controlroom.network.probes.imap import answer_imap, ask_imap
from controlroom.network.probes.interface import Probe, Wrapping

PROBE = Probe("imaps", "IMAP over TLS", ask_imap, answer_imap, services=("imaps",), wrapping=Wrapping.TLS)
