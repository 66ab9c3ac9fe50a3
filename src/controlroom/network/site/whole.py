"""Checks that can only be made of a whole site: names, addresses and members against each other."""

from itertools import pairwise

from controlroom.network.addresses import Family, format_address
from controlroom.network.catalogue import Component
from controlroom.network.site.model import Party, PartyKind, Site
from controlroom.network.site.toml import Table, nearest


def check_whole(site: Site, top: Table) -> None:
    """Raise `BadSite` where two parts of a site contradict each other."""
    _names_are_apart(site, top)
    _zones_are_apart(site, top)
    _addresses_are_apart(site, top)
    _members_are_control_rooms(site, top)
    if not any(Component.CONTROL_ROOM in host.roles for host in site.hosts):
        top.refuse("", 'no host has the role control-room; give one roles = ["control-room"]')


def _names_are_apart(site: Site, top: Table) -> None:
    seen: dict[str, str] = {zone.name: "zone" for zone in site.zones}
    for party in site.parties:
        if party.kind is PartyKind.ZONE:
            continue
        if party.name in seen:
            _at(top, party, "", f"{party.name!r} is already the name of a {seen[party.name]}; choose another")
        seen[party.name] = party.kind


def _zones_are_apart(site: Site, top: Table) -> None:
    for index, zone in enumerate(site.zones):
        for earlier in site.zones[:index]:
            if shared := zone.prefixes & earlier.prefixes:
                family = shared.families[0]
                address = format_address(family, shared.of(family).intervals[0][0])
                top.source.refuse(
                    ("zone", zone.name, "prefixes"),
                    f"{address} lies in zone {earlier.name!r} too; zones are apart",
                )


def _addresses_are_apart(site: Site, top: Table) -> None:
    for family in Family:
        taken = sorted(
            (interval, party.name)
            for party in site.parties
            if party.kind in {PartyKind.HOST, PartyKind.BALANCER}
            for interval in party.addresses.of(family)
        )
        for (before, first), (after, second) in pairwise(taken):
            if after[0] <= before[1] and first != second:
                address = format_address(family, after[0])
                _at(top, site.party(second), "addresses", f"{address} is an address of {first!r} too")


def _members_are_control_rooms(site: Site, top: Table) -> None:
    nodes = {host.name for host in site.hosts if Component.CONTROL_ROOM in host.roles}
    names = nodes | {host.fleet for host in site.hosts if host.name in nodes and host.fleet}
    for balancer in site.balancers:
        for member in balancer.members:
            if member not in names:
                _at(
                    top,
                    balancer,
                    "members",
                    f"{member!r} is no host with the role control-room; {nearest(member, names)}",
                )


def _at(top: Table, party: Party, key: str, message: str) -> None:
    kind = "fleet" if party.fleet else str(party.kind)
    path = (kind, party.fleet or party.name)
    top.source.refuse((*path, key) if key else path, message)
