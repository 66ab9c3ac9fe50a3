"""Reads one rule of an Azure network security group, and tells whether it serves a flow to a service tag."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from controlroom.network.addresses import Addresses, Family
from controlroom.network.analysis import Effect, Protocol, Rule
from controlroom.network.analysis.model import ALL_PROTOCOLS
from controlroom.network.catalogue import Transport
from controlroom.network.intervals import IntervalSet
from controlroom.network.policy import Symbolic
from controlroom.network.ports import ALL_PORTS
from controlroom.network.projection import Direction, Projection
from controlroom.network.rulesets.azure_groups import SecurityGroup
from controlroom.network.rulesets.cloud_files import JsonObject, listed
from controlroom.network.rulesets.cloud_rules import (
    EVERYONE,
    NOBODY,
    Service,
    Side,
    port_set,
    rules_of,
    side_of,
)

_PROTOCOLS = {
    "tcp": Protocol.TCP,
    "udp": Protocol.UDP,
    "icmp": Protocol.ICMP,
    "icmpv6": Protocol.ICMPV6,
    "esp": 50,
    "ah": 51,
}
_WITH_PORTS = IntervalSet.of(((Protocol.TCP, Protocol.TCP), (Protocol.UDP, Protocol.UDP)))
_TRANSPORTS = {Transport.TCP: Protocol.TCP, Transport.UDP: Protocol.UDP, Transport.ICMPV6: Protocol.ICMPV6}


@dataclass(frozen=True, slots=True)
class NamedFlow:
    """A flow to or from a service tag that the site declares without prefixes."""

    direction: Direction
    flow: Symbolic
    tag: str


class Reading:
    """One rule being read."""

    def __init__(self, group: SecurityGroup, raw: JsonObject, projection: Projection | None) -> None:
        self._raw = raw
        self._name = f"{group.name} {raw.get('name')} (priority {raw.get('priority')})"
        self._tags = projection.service_tags if projection else {}
        self._access = str(raw.get("access", "")).lower()

    def rules(self) -> Iterable[Rule]:
        """Yield what the rule says."""
        sources, destinations = self._side("source"), self._side("destination")
        if self._access not in {"allow", "deny"}:
            doubt = Service(doubts=(f"access {self._raw.get('access')!r} is not understood",))
            for either in (Effect.ALLOW, Effect.DENY):
                yield from rules_of(self._name, either, doubt, sources, destinations)
            return
        effect = Effect.ALLOW if self._access == "allow" else Effect.DENY
        for service in self._services():
            yield from rules_of(self._name, effect, service, sources, destinations)

    def _services(self) -> Iterable[Service]:
        """Yield the service, and in doubt what some would read into it: ICMPv6 in ICMP, ports of what has none."""
        service = self._service()
        if service.protocols == IntervalSet.single(Protocol.ICMP):
            yield Service(
                IntervalSet.single(Protocol.ICMPV6), doubts=("whether 'Icmp' means ICMPv6 too is not known",)
            )
        portless = service.protocols - _WITH_PORTS
        if portless and (service.ports, service.source_ports) != (ALL_PORTS, ALL_PORTS):
            yield replace(service, protocols=service.protocols & _WITH_PORTS)
            yield Service(portless, doubts=("ports are given for protocols that have none",))
        else:
            yield service

    def serves(
        self,
        direction: Direction,
        projection: Projection | None,
        named: Sequence[NamedFlow],
        served: set[tuple[Direction, str, str, Family]],
    ) -> bool:
        """Say whether the rule allows exactly a flow with a service tag that the site declares, and note which."""
        if projection is None or self._access != "allow":
            return False
        far, near = (
            ("destination", "source") if direction is Direction.OUTBOUND else ("source", "destination")
        )
        service, mine = self._service(), self._side(near)
        tags = self._values(far)
        for one in named:
            wanted = projection.near_side(one.flow, direction)
            if (
                one.direction is direction
                and tags == [one.tag]
                and not service.doubts
                and not mine.unknown
                and service.protocols == IntervalSet.single(_TRANSPORTS[one.flow.transport])
                and service.ports == one.flow.ports
                and self._any_source_port()
                and wanted.covers(mine.known)
            ):
                families = [
                    family for family in wanted.families if mine.known.of(family) == wanted.of(family)
                ]
                served.update((direction, one.flow.flow, one.tag, family) for family in families)
                return bool(mine.known)
        return False

    def _any_source_port(self) -> bool:
        return self._service().source_ports == ALL_PORTS

    def _service(self) -> Service:
        word = str(self._raw.get("protocol", "")).lower()
        doubts: list[str] = []
        sets: list[IntervalSet] = []
        for side in ("destination", "source"):
            texts = [
                *_present(self._raw.get(f"{side}PortRange")),
                *_present(self._raw.get(f"{side}PortRanges")),
            ]
            ports = port_set(texts)
            if ports is None or not texts:
                doubts.append(f"{side} ports {', '.join(map(str, texts))[:80]!r} are not understood")
            sets.append(ports if ports else ALL_PORTS)
        protocols = ALL_PROTOCOLS
        if word in _PROTOCOLS:
            protocols = IntervalSet.single(_PROTOCOLS[word])
        elif word not in {"*", "all", "any"}:
            doubts.append(f"protocol {self._raw.get('protocol')!r} is not understood")
        return Service(protocols, sets[0], sets[1], tuple(doubts))

    def _values(self, side: str) -> list[object]:
        expanded = f"expanded{side.capitalize()}AddressPrefix"
        if found := _present(self._raw.get(expanded)):
            return found
        return [
            *_present(self._raw.get(f"{side}AddressPrefix")),
            *_present(self._raw.get(f"{side}AddressPrefixes")),
        ]

    def _side(self, side: str) -> Side:
        result = NOBODY
        values = self._values(side)
        for value in values:
            text = str(value)
            if text.lower() in {"*", "any"}:
                result |= EVERYONE
            elif text in self._tags:
                result |= Side(self._tags[text])
            else:
                one = side_of([text], "address")
                reason = f"service tag {text[:80]!r} is not declared with prefixes in the site"
                result |= replace(one, unknown=(reason,)) if one.unknown else one
        asked = listed(self._raw.get(f"{side}ApplicationSecurityGroups"))
        if asked:
            result |= Side(Addresses(), (f"{side} application security groups are not known",))
        if not values and not asked:
            result |= Side(Addresses(), (f"the {side} is missing",))
        return result


def _present(value: object) -> list[object]:
    return [one for one in listed(value) if one not in (None, "")]
