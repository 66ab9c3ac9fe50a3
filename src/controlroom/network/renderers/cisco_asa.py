"""Renders Cisco ASA (9.0 and newer): object groups and one extended list, which the global access group applies.

The global list is asked about what crosses any interface; what the device itself sends or receives is not part of it,
so that the administrators' session survives. Replies pass by the device's own table of connections.
"""

from collections.abc import Iterator

from controlroom.network.addresses import Family, format_address, prefixes
from controlroom.network.catalogue import Transport
from controlroom.network.intervals import IntervalSet
from controlroom.network.policy import Permit
from controlroom.network.projection import Projection
from controlroom.network.renderers.border_objects import (
    BORDER,
    MEND,
    Sets,
    about,
    crossings,
    device_rendering,
    generation,
    netmask,
    remark,
)
from controlroom.network.renderers.cisco_ios import LONGEST_REMARK, MOST_ENTRIES, networks
from controlroom.network.renderers.cisco_steps import asa_removal, asa_steps
from controlroom.network.renderers.cloud_documents import refuse_more_than
from controlroom.network.renderers.interface import Rendering, refuse_symbolic

_ANY = {Family.IPV4: "any4", Family.IPV6: "any6"}


class CiscoAsaRenderer:
    """One list, its groups, and the access group that makes it count."""

    name = "cisco-asa"
    title = "Cisco ASA access list with object groups (borders)"
    scopes = BORDER
    parser = "cisco-asa"

    def render(self, projection: Projection) -> Rendering:
        """Return the list, the commands that remove exactly it, and the steps."""
        refuse_symbolic(projection, self.name)
        permits = crossings(projection)
        sets = Sets(generation(permits))
        lines = [line for permit in permits for line in _lines(permit, sets)]
        refuse_more_than(MOST_ENTRIES, len(lines), "lines of an access list", MEND)
        groups = [*_networks(sets), *_services(sets)]
        closing = [
            f"access-list {sets.mark} remark controlroom: default deny",
            f"access-list {sets.mark} extended deny ip any any",
            f"access-group {sets.mark} global",
            ": end",
            "",
        ]
        head = f": controlroom: firewall of border {projection.name} in site {projection.site}. Default deny."
        names = [line for line in groups if line.startswith("object-group")]
        return device_rendering(
            self.name,
            projection,
            "cfg",
            rules="\n".join([head, *groups, *lines, *closing]),
            removal=asa_removal(sets.mark, names),
            steps=lambda stem: asa_steps(stem, sets.mark),
        )


RENDERER = CiscoAsaRenderer()


def _networks(sets: Sets) -> Iterator[str]:
    for family, name, addresses in networks(sets):
        yield f"object-group network {name}"
        for low, length in prefixes(family, addresses):
            yield f" network-object {_plain(family, low, length)}"


def _services(sets: Sets) -> Iterator[str]:
    for transport in (Transport.TCP, Transport.UDP):
        for name, ports in sets.of_kind(f"{transport}-"):
            yield f"object-group service {name} {transport}"
            for low, high in ports:
                yield f" port-object {_port(low, high)}"


def _lines(permit: Permit, sets: Sets) -> Iterator[str]:
    yield f"access-list {sets.mark} remark {remark(about(permit), LONGEST_REMARK)}"
    sides = (_side(permit.family, one, sets) for one in (permit.sources, permit.destinations))
    if len(permit.ports) == 1:
        port = _port(*permit.ports.intervals[0])
    else:
        port = f"object-group {sets.refer(f'{permit.transport}-', permit.ports)}"
    yield f"access-list {sets.mark} extended permit {permit.transport} {' '.join(sides)} {port}"


def _side(family: Family, addresses: IntervalSet, sets: Sets) -> str:
    if addresses == family.everything:
        return _ANY[family]
    found = list(prefixes(family, addresses))
    if len(found) > 1:
        return f"object-group {sets.refer(f'n{family.value}-', addresses)}"
    return _plain(family, *found[0])


def _plain(family: Family, low: int, length: int) -> str:
    address = format_address(family, low)
    if length == family.bits:
        return f"host {address}"
    return f"{address}/{length}" if family is Family.IPV6 else f"{address} {netmask(length)}"


def _port(low: int, high: int) -> str:
    return f"eq {low}" if low == high else f"range {low} {high}"
