"""Probes of services by their own protocols; each is one file of this folder that names itself ``PROBE``.

A probe shows a few bytes and no credentials, and only what answers as the protocol demands counts as open.
"""

import sys
from functools import cache

from controlroom.network.catalogue import Transport
from controlroom.network.probes.interface import Limits, Outcome, Probe, Target, Verdict, Wrapping
from controlroom.network.probes.probing import run_probe
from controlroom.network.registry import find_parts, pick

__all__ = [
    "Limits",
    "Outcome",
    "Probe",
    "Target",
    "Verdict",
    "Wrapping",
    "probe",
    "probe_for",
    "probes",
    "run_probe",
]


@cache
def probes() -> dict[str, Probe]:
    """Return all probes by name."""
    return find_parts(sys.modules[__name__], "PROBE", Probe)


def probe(name: str) -> Probe:
    """Return one probe; raise `UnknownName` with the nearest known one."""
    return pick(probes(), "probe", name)


def probe_for(flow: str, service: str | None, transport: Transport) -> Probe:
    """Return the probe of a flow, else of its service, else one that looks for a connection alone."""
    known = probes().values()
    for one in known:
        if flow in one.flows:
            return one
    for one in known:
        if service is not None and service in one.services:
            return one
    return probe("udp" if transport is Transport.UDP else "tcp")
