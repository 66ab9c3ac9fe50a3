"""What a cloud's own firewall sees at the edge of a subnet: all that the machines of one zone send and receive.

Such a firewall meets what two machines of its subnet say to each other too, so that this is part of what it permits. A
packet from one zone to another meets two of them: the one lets it out, the other lets it in.
"""

from collections.abc import Iterator
from dataclasses import replace

from controlroom.network.addresses import Addresses
from controlroom.network.errors import UnknownName
from controlroom.network.intervals import IntervalSet
from controlroom.network.policy import Permit, Policy
from controlroom.network.projection import Direction, Projection, Scope


def subnet(policy: Policy, zone: str) -> Projection:
    """Return what the firewall at a zone's subnet must let in and out; raise `UnknownName`."""
    prefixes = {one.name: one.prefixes for one in policy.site.zones}
    if zone not in prefixes:
        raise UnknownName("zone of the site", zone)
    own = prefixes[zone]
    inbound = tuple(
        replace(permit, destinations=mine) for permit, mine in _within(policy, own, Direction.INBOUND)
    )
    permits = {Direction.INBOUND: inbound}
    if policy.site.options.egress == "contract":
        permits[Direction.OUTBOUND] = tuple(
            replace(permit, sources=mine) for permit, mine in _within(policy, own, Direction.OUTBOUND)
        )
    return Projection(
        Scope.SUBNET,
        zone,
        policy.site.name,
        permits,
        own,
        symbolic=tuple(one for one in policy.symbolic if any(party.addresses & own for party in one.parties)),
        cluster=tuple(permit for permit in inbound if permit.cluster),
        hosts={host.name: host.addresses for host in policy.site.hosts},
        service_tags={
            party.service_tag: party.addresses
            for party in policy.site.parties
            if party.service_tag and not party.symbolic
        },
    )


def _within(policy: Policy, own: Addresses, direction: Direction) -> Iterator[tuple[Permit, IntervalSet]]:
    for permit in policy.permits:
        near = permit.destinations if direction is Direction.INBOUND else permit.sources
        if mine := near & own.of(permit.family):
            yield permit, mine
