"""Words of packets that several rulesets share: address families, protocols, and types of ICMPv6."""

from controlroom.network.addresses import Family, only
from controlroom.network.analysis import Match

_V4, _V6 = (only(family, family.everything) for family in Family)
ONLY_FAMILY = {
    "inet": Match(),
    "ip": Match(sources=_V4, destinations=_V4),
    "ip6": Match(sources=_V6, destinations=_V6),
}
PROTOCOL_NUMBERS = {
    "icmp": 1,
    "tcp": 6,
    "udp": 17,
    "ipv6-icmp": 58,
    "icmpv6": 58,
    "gre": 47,
    "esp": 50,
    "sctp": 132,
}
ICMPV6_TYPES = {
    "destination-unreachable": 1,
    "packet-too-big": 2,
    "time-exceeded": 3,
    "parameter-problem": 4,
    "echo-request": 128,
    "echo-reply": 129,
    "mld-listener-query": 130,
    "mld-listener-report": 131,
    "mld-listener-done": 132,
    "mld-listener-reduction": 132,
    "nd-router-solicit": 133,
    "nd-router-advert": 134,
    "nd-neighbor-solicit": 135,
    "nd-neighbor-advert": 136,
    "nd-redirect": 137,
    "mld2-listener-report": 143,
}
