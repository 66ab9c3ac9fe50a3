"""Addresses, services and groups of FortiOS."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from controlroom.network.addresses import ANYWHERE_V4, ANYWHERE_V6, Addresses, Family, only, parse_range
from controlroom.network.analysis import Protocol
from controlroom.network.intervals import IntervalSet
from controlroom.network.ports import ALL_PORTS
from controlroom.network.rulesets.cloud_rules import Service, Side, doubtful, port_set
from controlroom.network.rulesets.fortigate_text import Settings, Table
from controlroom.network.rulesets.named_objects import Resolver, all_services, all_sides, unknown_side

_PLAIN_SERVICES = frozenset({"TCP/UDP/SCTP", "TCP/UDP/UDP-Lite/SCTP", "TCP/UDP"})
_SILENT = frozenset({"comment", "category", "visibility", "color", "uuid", "helper", "fabric-object"})
_TIMERS = ("session-ttl", "-timer", "check-reset-range")
# How settings that say nothing are written.
_NOTHING = (["disable"], [ANYWHERE_V4.partition("/")[0]], [ANYWHERE_V6.partition("/")[0]])


@dataclass
class Objects:
    """The named objects of one virtual domain."""

    tables: dict[str, Table]

    def side(self, family: Family, name: str) -> Side:
        """Return the addresses that a name means in a family."""
        return (self._side4 if family is Family.IPV4 else self._side6)(name)

    @cached_property
    def service(self) -> Resolver[tuple[Service, ...]]:
        """Resolves the services of a name."""
        return Resolver(self._service)

    @cached_property
    def _side4(self) -> Resolver[Side]:
        return Resolver(lambda name: self._read_side(Family.IPV4, name))

    @cached_property
    def _side6(self) -> Resolver[Side]:
        return Resolver(lambda name: self._read_side(Family.IPV6, name))

    def _entry(self, table: str, name: str) -> Settings | None:
        found = self.tables.get(table)
        entry = found.entries.get(name) if found else None
        return None if entry is None else entry.settings

    def _read_side(self, family: Family, name: str) -> Side:
        digit = "" if family is Family.IPV4 else "6"
        if (group := self._entry(f"firewall addrgrp{digit}", name)) is not None:
            return self._group(family, name, group)
        found = self._entry(f"firewall address{digit}", name)
        if found is None:
            if name == "all":
                return Side(only(family, family.everything))
            return unknown_side(f"there is no {family.title} address {name[:80]!r}")
        try:
            return _address(family, name, found)
        except ValueError:
            return unknown_side(f"address {name[:80]} is not understood")

    def _group(self, family: Family, name: str, group: Settings) -> Side:
        side = all_sides(self.side(family, member) for member in group.get("member", []))
        if group.get("exclude", ["disable"]) == ["disable"]:
            return side
        without = all_sides(self.side(family, member) for member in group.get("exclude-member", []))
        if side.unknown or without.unknown:
            return unknown_side(f"of group {name[:80]} not every member is known")
        return Side(side.known - without.known)

    def _service(self, name: str) -> tuple[Service, ...]:
        if (group := self._entry("firewall service group", name)) is not None:
            return all_services(one for member in group.get("member", []) for one in self.service(member))
        found = self._entry("firewall service custom", name)
        if found is None:
            return (Service() if name == "ALL" else doubtful(f"there is no service {name[:80]!r}"),)
        return all_services(_services(name, found))

    def services_of(self, names: Sequence[str]) -> tuple[Service, ...]:
        """Return the services that a policy names."""
        if not names:
            return (doubtful("its service is not given"),)
        return all_services(service for name in names for service in self.service(name))


def _address(family: Family, name: str, found: Settings) -> Side:
    kind = found.get("type", ["ipmask" if family is Family.IPV4 else "ipprefix"])[0]
    if kind == "iprange":
        return Side(
            _span(family, found["start-ip"][0], found["end-ip"][0]) if _has_ends(found) else Addresses()
        )
    if kind == "ipmask" and family is Family.IPV4:
        # Without a subnet it is 0.0.0.0/0, as the address "all" is written.
        words = found.get("subnet", [ANYWHERE_V4])
        network = ipaddress.ip_network("/".join(words), strict=False)
    elif kind == "ipprefix" and family is Family.IPV6:
        network = ipaddress.ip_network(found.get("ip6", [ANYWHERE_V6])[0], strict=False)
    else:
        return unknown_side(f"address {name[:80]} is of type {kind[:40]}")
    if network.version != family:
        raise ValueError
    low, high = int(network.network_address), int(network.broadcast_address)
    return Side(only(family, IntervalSet(((low, high),))))


def _has_ends(found: Settings) -> bool:
    if "start-ip" not in found or "end-ip" not in found:
        raise ValueError
    return True


def _span(family: Family, first: str, last: str) -> Addresses:
    found, low, high = parse_range(f"{first}-{last}")
    if found is not family:
        raise ValueError
    return only(family, IntervalSet(((low, high),)))


def _services(name: str, found: Settings) -> list[Service]:
    kind = found.get("protocol", ["TCP/UDP/SCTP"])[0]
    read = {"protocol", *_SILENT}
    if kind in _PLAIN_SERVICES:
        numbers = {"tcp-portrange": Protocol.TCP, "udp-portrange": Protocol.UDP, "sctp-portrange": 132}
        read |= numbers.keys()
        services = [
            _ports(name, number, text) for key, number in numbers.items() for text in found.get(key, [])
        ]
    elif kind in {"IP", "ICMP", "ICMP6"}:
        read |= {"protocol-number", "icmptype", "icmpcode"}
        services = [_of_number(name, kind, found)]
    else:
        return [doubtful(f"service {name[:80]} is of protocol {kind[:40]}")]
    for key in found.keys() - read:
        # Such as the addresses that a service may name besides.
        if not key.endswith(_TIMERS) and found[key] not in _NOTHING:
            return [doubtful(f"service {name[:80]}: {key[:40]} is not understood")]
    return services or [doubtful(f"service {name[:80]} has no ports")]


def _ports(name: str, protocol: int, text: str) -> Service:
    ports, colon, source = text.partition(":")
    destination_ports, source_ports = port_set([ports]), port_set([source]) if colon else ALL_PORTS
    if destination_ports is None or source_ports is None:
        return doubtful(f"service {name[:80]}: {text[:40]!r} are no ports")
    return Service(IntervalSet.single(protocol), destination_ports, source_ports)


def _of_number(name: str, kind: str, found: Settings) -> Service:
    number = {"ICMP": "1", "ICMP6": "58"}.get(kind) or found.get("protocol-number", ["0"])[0]
    types = found.get("icmptype", [])
    if "icmpcode" in found or not number.isdecimal() or len(number) > 3 or int(number) > 255:
        return doubtful(f"service {name[:80]} is not understood")
    # Protocol 0 is how the platform writes all of them.
    protocols = (
        IntervalSet(((0, 255),)) if kind == "IP" and int(number) == 0 else IntervalSet.single(int(number))
    )
    ports = port_set(types) if types and kind != "IP" else ALL_PORTS
    return doubtful(f"service {name[:80]} is not understood") if ports is None else Service(protocols, ports)
