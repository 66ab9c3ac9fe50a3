"""What IPv6 itself needs on a link, which every host firewall lets pass: our addition, by RFC 4890 section 4.4.1."""

from controlroom.network.addresses import Family
from controlroom.network.analysis import Match, Protocol
from controlroom.network.intervals import IntervalSet
from controlroom.network.projection import Projection, Scope
from controlroom.network.rulesets.packet_words import ONLY_FAMILY

# Multicast listener discovery 130-132 and 143, router and neighbour discovery 133-136; RFC 4890 names them as
# those that must not be dropped. Redirect, 137, is left out: the same section lets a site decide.
NEIGHBOUR_DISCOVERY = IntervalSet(((130, 136), (143, 143)))
NEIGHBOUR_DISCOVERY_NAME = "neighbour-discovery"
NEIGHBOUR_DISCOVERY_PURPOSE = "IPv6 cannot work on a link without it (RFC 4890, 4.4.1)"


def needs_neighbour_discovery(projection: Projection) -> bool:
    """Say whether a firewall stands on a host that has an IPv6 address."""
    return projection.scope is Scope.HOST and Family.IPV6 in projection.addresses.families


def neighbour_discovery_match() -> Match:
    """Return the packets of neighbour discovery."""
    return ONLY_FAMILY["ip6"] & Match(
        IntervalSet.single(Protocol.ICMPV6), destination_ports=NEIGHBOUR_DISCOVERY
    )
