"""What the names in firewalld's files stand for: sets of addresses, services and ICMP types."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from controlroom.network.addresses import EVERY_ADDRESS, Addresses, Family, only, parse_addresses
from controlroom.network.analysis import Match, Protocol
from controlroom.network.errors import BadPorts
from controlroom.network.intervals import IntervalSet, union
from controlroom.network.ports import parse_ports
from controlroom.network.rulesets.firewalld_xml import Element
from controlroom.network.rulesets.packet_words import ONLY_FAMILY, PROTOCOL_NUMBERS

# ICMP types by firewalld's names (firewalld.icmptype(5) and its files); names that also mean a code are left out.
ICMP_TYPES = {
    Family.IPV4: {
        "echo-reply": 0,
        "destination-unreachable": 3,
        "source-quench": 4,
        "redirect": 5,
        "echo-request": 8,
        "router-advertisement": 9,
        "router-solicitation": 10,
        "time-exceeded": 11,
        "parameter-problem": 12,
        "timestamp-request": 13,
        "timestamp-reply": 14,
    },
    Family.IPV6: {
        "destination-unreachable": 1,
        "packet-too-big": 2,
        "time-exceeded": 3,
        "parameter-problem": 4,
        "echo-request": 128,
        "echo-reply": 129,
        "mld-listener-query": 130,
        "mld-listener-report": 131,
        "mld-listener-done": 132,
        "router-solicitation": 133,
        "router-advertisement": 134,
        "neighbour-solicitation": 135,
        "neighbour-advertisement": 136,
        "redirect": 137,
        "mld2-listener-report": 143,
    },
}
_ICMP_PROTOCOLS = {Family.IPV4: Protocol.ICMP, Family.IPV6: Protocol.ICMPV6}
_SCOPES = {Family.IPV4: ONLY_FAMILY["ip"], Family.IPV6: ONLY_FAMILY["ip6"]}
# Services may include others; deeper than this they include themselves.
_DEEPEST_INCLUDE = 8
_CODES = 256

# What a set matches as a source, box by box; None where it is not understood.
Set = tuple[Match, ...] | None


class NotUnderstood(Exception):
    """A signal within these files that a word is beyond us; its text says which."""


@dataclass(frozen=True, slots=True)
class Service:
    """What one service opens, or a reason why that is not known."""

    boxes: tuple[Match, ...] = ()
    includes: tuple[str, ...] = ()
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """The sets and services that were given, by name."""

    ipsets: Mapping[str, Set]
    services: Mapping[str, Service]

    def service(self, name: str, depth: int = 0) -> tuple[Match, ...]:
        """Return what a service opens; raise `NotUnderstood`."""
        found = self.services.get(name)
        if found is None:
            raise NotUnderstood(f"service {name!r}, whose file was not given,")
        if found.doubt or depth > _DEEPEST_INCLUDE:
            raise NotUnderstood(f"service {name!r} ({found.doubt or 'includes itself'})")
        boxes = list(found.boxes)
        for include in found.includes:
            boxes += self.service(include, depth + 1)
        return tuple(boxes)


def protocols_of(text: str) -> IntervalSet:
    """Return the numbers of a protocol; raise `NotUnderstood`."""
    if text in PROTOCOL_NUMBERS:
        return IntervalSet.single(PROTOCOL_NUMBERS[text])
    if text.isdecimal() and len(text) < 4 and int(text) < 256:
        return IntervalSet.single(int(text))
    raise NotUnderstood(f"protocol {text!r}")


def ports_of(text: str) -> IntervalSet:
    """Return ports; raise `NotUnderstood`."""
    try:
        return parse_ports(text)
    except BadPorts:
        raise NotUnderstood(f"port {text!r}") from None


def addresses_of(text: str) -> Addresses:
    """Return an address or prefix; host bits are ignored, as firewalld ignores them; raise `NotUnderstood`."""
    try:
        return parse_addresses([text])
    except ValueError:
        raise NotUnderstood(f"address {text!r}") from None


def icmp_types(name: str, families: tuple[Family, ...]) -> tuple[Match, ...]:
    """Return what an ICMP type matches in the families; raise `NotUnderstood`."""
    boxes = tuple(
        _icmp(family, IntervalSet.single(ICMP_TYPES[family][name]))
        for family in families
        if name in ICMP_TYPES[family]
    )
    if not boxes:
        raise NotUnderstood(f"ICMP type {name!r}")
    return boxes


def _icmp(family: Family, types: IntervalSet) -> Match:
    return _SCOPES[family] & Match(IntervalSet.single(_ICMP_PROTOCOLS[family]), destination_ports=types)


def read_ipset(element: Element) -> Set:
    """Return what a set matches as a source."""
    options = {one.get("name", ""): one.get("value", "") for one in element.findall("option")}
    kind = element.get("type", "")
    if "timeout" in options or kind not in {"hash:ip", "hash:net", "hash:net,port"}:
        return None
    family = Family.IPV6 if options.get("family") == "inet6" else Family.IPV4
    entries = [(one.text or "").strip() for one in element.findall("entry")]
    try:
        if kind == "hash:net,port":
            return tuple(_with_port(entry, family) for entry in entries)
        return (_source(parse_addresses(entries), family),)
    except (ValueError, NotUnderstood):
        return None


def _source(addresses: Addresses, family: Family) -> Match:
    return Match(
        sources=only(family, addresses.of(family)), destinations=only(family, EVERY_ADDRESS.of(family))
    )


def _with_port(entry: str, family: Family) -> Match:
    """Read ``prefix,protocol:ports``; for ICMPv6 the ports are type and code, and must be whole types to be read."""
    address, _, rest = entry.partition(",")
    protocol, colon, text = rest.partition(":")
    numbers = protocols_of(protocol if colon else "tcp")
    low, dash, high = (text if colon else rest).partition("-")
    if not low.isdecimal() or (dash and not high.isdecimal()):
        raise NotUnderstood(f"entry {entry!r}")
    first, last = int(low), int(high or low)
    box = _source(addresses_of(address), family)
    if Protocol.ICMPV6 not in numbers and Protocol.ICMP not in numbers:
        return box & Match(numbers, source_ports=ports_of(text if colon else rest))
    if first % _CODES or last % _CODES != _CODES - 1 or first > last:
        raise NotUnderstood(f"entry {entry!r} with single codes")
    return box & _icmp(family, IntervalSet(((first // _CODES, last // _CODES),)))


def read_service(element: Element) -> Service:
    """Return what a service opens."""
    try:
        includes = tuple(one.get("service", "") for one in element.findall("include"))
        boxes = tuple(_service_boxes(element))
    except NotUnderstood as doubt:
        return Service(doubt=f"{doubt} is not understood")
    return Service(boxes, includes)


def _service_boxes(element: Element) -> Iterator[Match]:
    scope = _service_scope(element)
    for one in element:
        if one.tag == "port":
            yield from (part & scope for part in port_boxes(one))
        elif one.tag == "source-port":
            yield from (part & scope for part in port_boxes(one, source=True))
        elif one.tag == "protocol":
            yield Match(protocols_of(one.get("value", ""))) & scope


def _service_scope(element: Element) -> Match:
    destination = element.find("destination")
    if destination is None:
        return Match()
    given = [destination.get(name, "") for name in ("ipv4", "ipv6") if destination.get(name)]
    found = [addresses_of(text) for text in given]
    # A family of which no destination is given is left out altogether.
    v4, v6 = union(one.v4 for one in found), union(one.v6 for one in found)
    return Match(destinations=Addresses(v4, v6))


def port_boxes(element: Element, *, source: bool = False) -> tuple[Match, ...]:
    """Return what a port element matches; without a port, all of its protocol."""
    numbers = protocols_of(element.get("protocol", ""))
    text = element.get("port", "")
    if not text:
        return (Match(numbers),)
    ports = ports_of(text)
    return (Match(numbers, source_ports=ports) if source else Match(numbers, destination_ports=ports),)
