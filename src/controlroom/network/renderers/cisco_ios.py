"""Renders Cisco IOS and IOS XE: one named list a family, with object groups, to lie ``out`` on every interface.

On its way out each crossing packet meets the list once, while what the router itself sends or receives is untouched:
routing, neighbour discovery and the administrators' session survive. Such lists have no memory, so that replies are
said too: for TCP by ``established`` entries, which no first packet matches, for UDP by a reflexive list, which holds
what has just been asked.
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
from controlroom.network.renderers.cisco_steps import ios_removal, ios_steps
from controlroom.network.renderers.cloud_documents import refuse_more_than
from controlroom.network.renderers.interface import Rendering, refuse_symbolic

# "A remark can be up to 100 characters long" (Cisco IOS Security Command Reference).
LONGEST_REMARK = 100
# Our own limit, above what routers keep in hardware: more than this is a mistake in the site.
MOST_ENTRIES = 50_000
_DENIES = {Family.IPV4: "deny ip any any", Family.IPV6: "deny ipv6 any any"}


class CiscoIosRenderer:
    """Lists and groups under names of their own; the steps beside them put them on the interfaces."""

    name = "cisco-ios"
    title = "Cisco IOS and IOS XE access lists (borders)"
    scopes = BORDER
    parser = "cisco-ios"

    def render(self, projection: Projection) -> Rendering:
        """Return the lists, the commands that remove exactly these, and the steps."""
        refuse_symbolic(projection, self.name)
        permits = crossings(projection)
        sets = Sets(generation(permits))
        lists = {family: list(_list(permits, family, sets)) for family in Family}
        entries = sum(len(lines) for lines in lists.values())
        refuse_more_than(MOST_ENTRIES, entries, "lines of access lists", MEND)
        groups = list(_groups(sets))
        text = "\n".join([*_head(projection), *groups, *lists[Family.IPV4], *lists[Family.IPV6], "end", ""])
        names = [line for line in groups if line.startswith("object-group")]
        return device_rendering(
            self.name,
            projection,
            "cfg",
            rules=text,
            removal=ios_removal(sets.mark, names),
            steps=lambda stem: ios_steps(stem, sets.mark),
        )


RENDERER = CiscoIosRenderer()


def _head(projection: Projection) -> Iterator[str]:
    yield f"! controlroom: firewall of border {projection.name} in site {projection.site}. Default deny."
    yield "! The lists do nothing until they lie out on the interfaces: the steps beside this file say how."


def networks(sets: Sets) -> list[tuple[Family, str, IntervalSet]]:
    """Return the groups of addresses that lines refer to."""
    return [(family, *one) for family in Family for one in sets.of_kind(f"n{family.value}-")]


def _groups(sets: Sets) -> Iterator[str]:
    for family, name, addresses in networks(sets):
        yield f"object-group {'network' if family is Family.IPV4 else 'v6-network'} {name}"
        for low, length in prefixes(family, addresses):
            yield f" {_member(family, low, length)}"


def _member(family: Family, low: int, length: int) -> str:
    address = format_address(family, low)
    if length == family.bits:
        return f"host {address}"
    return f"{address}/{length}" if family is Family.IPV6 else f"{address} {netmask(length)}"


def _wildcard(length: int) -> str:
    return format_address(Family.IPV4, (1 << (32 - length)) - 1)


def _list(permits: list[Permit], family: Family, sets: Sets) -> Iterator[str]:
    replies = f"{sets.mark}-replies{family.value}"
    mine = [permit for permit in permits if permit.family is family]
    word = "ip access-list extended" if family is Family.IPV4 else "ipv6 access-list"
    yield f"{word} {sets.mark}-v{family.value}"
    if any(permit.transport is Transport.UDP for permit in mine):
        yield " remark controlroom: replies to what is marked with reflect"
        yield f" evaluate {replies}"
    for permit in mine:
        yield f" remark {remark(about(permit), LONGEST_REMARK)}"
        for line in _entries(permit, sets, replies):
            yield f" {line}"
    yield " remark controlroom: default deny"
    yield f" {_DENIES[family]}"


def _entries(permit: Permit, sets: Sets, replies: str) -> Iterator[str]:
    source = _side(permit.family, permit.sources, sets)
    destination = _side(permit.family, permit.destinations, sets)
    for low, high in permit.ports:
        port = f"eq {low}" if low == high else f"range {low} {high}"
        if permit.transport is Transport.UDP:
            yield f"permit udp {source} {destination} {port} reflect {replies}"
        else:
            yield f"permit tcp {source} {destination} {port}"
            yield f"permit tcp {destination} {port} {source} established"


def _side(family: Family, addresses: IntervalSet, sets: Sets) -> str:
    if addresses == family.everything:
        return "any"
    found = list(prefixes(family, addresses))
    if len(found) > 1:
        return f"object-group {sets.refer(f'n{family.value}-', addresses)}"
    low, length = found[0]
    address = format_address(family, low)
    if length == family.bits:
        return f"host {address}"
    return f"{address}/{length}" if family is Family.IPV6 else f"{address} {_wildcard(length)}"
