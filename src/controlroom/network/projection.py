"""What of a policy one firewall sees: a host's own packets, or the packets that cross a border between zones."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from controlroom.network.addresses import Addresses, Family, join
from controlroom.network.catalogue import Component
from controlroom.network.errors import NoManagementPath, UnknownName
from controlroom.network.intervals import IntervalSet
from controlroom.network.policy import Permit, Policy, Symbolic
from controlroom.network.site import OUTSIDE, Party, PartyKind

MANAGEMENT_FLOWS = frozenset({"management-ssh", "management-rdp"})


class Scope(StrEnum):
    """Where a firewall stands."""

    HOST = "host"
    BORDER = "border"
    SUBNET = "subnet"


class Direction(StrEnum):
    """Which way a packet goes, seen from the firewall."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    FORWARD = "forward"


@dataclass(frozen=True, slots=True)
class Projection:
    """The permits that one firewall must let pass in each direction; all else it must stop.

    ``filtered`` are the directions in which it stops things at all. A host has ``addresses`` and ``party``.
    ``cluster`` are the permits whose destinations and ports nobody but Control Room servers may reach through it.
    ``hosts`` and ``service_tags`` say what the site means by the names that some firewalls match instead of addresses,
    ``interfaces`` which addresses lie behind each interface.
    """

    scope: Scope
    name: str
    site: str
    permits: dict[Direction, tuple[Permit, ...]]
    addresses: Addresses
    party: Party | None = None
    symbolic: tuple[Symbolic, ...] = ()
    cluster: tuple[Permit, ...] = ()
    hosts: Mapping[str, Addresses] = field(default_factory=dict)
    service_tags: Mapping[str, Addresses] = field(default_factory=dict)
    interfaces: Mapping[str, Addresses] = field(default_factory=dict)

    @property
    def filtered(self) -> tuple[Direction, ...]:
        """The directions that this firewall filters, in a fixed order."""
        return tuple(direction for direction in Direction if direction in self.permits)

    def near_side(self, one: Symbolic, direction: Direction) -> Addresses:
        """Return which of the host's own addresses take part in a flow known by name, as its sender or receiver."""
        parties = one.sources if direction is Direction.OUTBOUND else one.destinations
        return join(party.addresses for party in parties) & self.addresses

    def named(self) -> Iterator[tuple[Direction, Symbolic, Party]]:
        """Yield each flow known by name that some filtered direction must let pass, with each party so known.

        A firewall that matches addresses can neither allow such a flow nor tell whether it does.
        """
        for direction in self.filtered:
            for one in self.symbolic:
                if direction is Direction.FORWARD:
                    yield from ((direction, one, party) for party in one.parties if party.symbolic)
                elif self.near_side(one, direction):
                    far = one.destinations if direction is Direction.OUTBOUND else one.sources
                    yield from ((direction, one, party) for party in far if party.symbolic)

    @property
    def families(self) -> tuple[Family, ...]:
        """The families in which there is anything to say."""
        used = {permit.family for permits in self.permits.values() for permit in permits}
        return tuple(family for family in Family if family in used or family in self.addresses.families)


class Projector:
    """Cuts one policy into projections; keeps an index so that ten thousand hosts cost little more than one."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._parties = {party.name: party for party in policy.site.parties}
        self._zones = {zone.name: zone.prefixes for zone in policy.site.zones}

    def host(self, name: str) -> Projection:
        """Return what a host's own firewall sees; raise `UnknownName`, or `NoManagementPath` for a lock-out."""
        host = self._parties.get(name)
        if host is None or Component.HOST not in host.roles:
            raise UnknownName("host of the site", name)
        names = self._names_of(host)
        inbound = tuple(
            replace(permit, destinations=mine, destination_names=(name,))
            for permit in self._touching(names, self._by_destination)
            if (mine := permit.destinations & host.addresses.of(permit.family))
        )
        permits = {Direction.INBOUND: inbound}
        if self.policy.site.options.egress == "contract":
            permits[Direction.OUTBOUND] = tuple(
                replace(permit, sources=mine, source_names=(name,))
                for permit in self._touching(names, self._by_source)
                if (mine := permit.sources & host.addresses.of(permit.family))
            )
        self._refuse_lock_out(host, inbound)
        return Projection(
            Scope.HOST,
            name,
            self.policy.site.name,
            permits,
            host.addresses,
            host,
            self._symbolic_of(names),
            tuple(permit for permit in inbound if permit.cluster),
            self._hosts,
            self._service_tags,
            host.interfaces,
        )

    def border(self, first: str = "", second: str = "") -> Projection:
        """Return what crosses between zones, or between two given ones in both directions.

        What lies in no declared zone is in the zone ``outside``. Raise `UnknownName` for a zone that is not there.
        """
        for zone in (first, second):
            if zone and zone not in {*self._zones, OUTSIDE}:
                raise UnknownName("zone of the site", zone)
        wanted = {zone for zone in (first, second) if zone}
        permits = tuple(
            crossing
            for permit in self.policy.permits
            for crossing in self._crossings(permit)
            if wanted <= {self.zone_of(crossing.source_names[0]), self.zone_of(crossing.destination_names[0])}
        )
        name = "--".join(zone for zone in (first, second) if zone) or "border"
        return Projection(
            Scope.BORDER,
            name,
            self.policy.site.name,
            {Direction.FORWARD: permits},
            Addresses(),
            symbolic=tuple(one for one in self.policy.symbolic if self._crosses(one, wanted)),
            cluster=tuple(permit for permit in self.policy.permits if permit.cluster),
            hosts=self._hosts,
            service_tags=self._service_tags,
            interfaces=self.policy.site.border_interfaces,
        )

    def _crosses(self, one: Symbolic, wanted: set[str]) -> bool:
        pairs = ({sender.zone, receiver.zone} for sender in one.sources for receiver in one.destinations)
        return any(len(pair) > 1 and wanted <= pair for pair in pairs)

    def _crossings(self, permit: Permit) -> Iterable[Permit]:
        sources = self._grouped(permit.source_names, permit.sources, permit.family)
        destinations = self._grouped(permit.destination_names, permit.destinations, permit.family)
        for source_zone, (senders, sending) in sources.items():
            for destination_zone, (receivers, receiving) in destinations.items():
                if source_zone != destination_zone and sending and receiving:
                    yield replace(
                        permit,
                        sources=sending,
                        destinations=receiving,
                        source_names=senders,
                        destination_names=receivers,
                    )

    def _grouped(
        self, names: tuple[str, ...], within: IntervalSet, family: Family
    ) -> dict[str, tuple[tuple[str, ...], IntervalSet]]:
        groups: dict[str, list[str]] = {}
        for name in names:
            groups.setdefault(self.zone_of(name), []).append(name)
        if len(groups) == 1:
            return dict.fromkeys(groups, (names, within))
        return {
            zone: (tuple(members), join(self._addresses_of(name) for name in members).of(family) & within)
            for zone, members in groups.items()
        }

    def zone_of(self, name: str) -> str:
        """Return the zone of a party or a zone by name."""
        return name if name in self._zones else self._parties[name].zone

    def _addresses_of(self, name: str) -> Addresses:
        return self._zones[name] if name in self._zones else self._parties[name].addresses

    def _names_of(self, host: Party) -> tuple[str, ...]:
        """Return the names under which a host stands in permits: its own, and those of ranges around it."""
        around = (name for name, addresses in self._wide.items() if addresses & host.addresses)
        return (host.name, *around)

    @cached_property
    def _wide(self) -> dict[str, Addresses]:
        externals = {
            party.name: party.addresses
            for party in self.policy.site.parties
            if party.kind is PartyKind.EXTERNAL
        }
        return {**self._zones, **externals}

    @cached_property
    def _hosts(self) -> Mapping[str, Addresses]:
        return {host.name: host.addresses for host in self.policy.site.hosts}

    @cached_property
    def _service_tags(self) -> Mapping[str, Addresses]:
        tagged = [party for party in self.policy.site.parties if party.service_tag and not party.symbolic]
        return {party.service_tag: party.addresses for party in tagged}

    @cached_property
    def _by_source(self) -> dict[str, list[int]]:
        return _index(permit.source_names for permit in self.policy.permits)

    @cached_property
    def _by_destination(self) -> dict[str, list[int]]:
        return _index(permit.destination_names for permit in self.policy.permits)

    def _touching(self, names: tuple[str, ...], index: dict[str, list[int]]) -> list[Permit]:
        numbers = sorted({number for name in names for number in index.get(name, ())})
        return [self.policy.permits[number] for number in numbers]

    def _symbolic_of(self, names: tuple[str, ...]) -> tuple[Symbolic, ...]:
        return tuple(
            one for one in self.policy.symbolic if set(names) & {party.name for party in one.parties}
        )

    def _refuse_lock_out(self, host: Party, inbound: tuple[Permit, ...]) -> None:
        # Who manages the others sits in front of their own machine.
        if self.policy.site.options.management == "console" or Component.ADMINISTRATOR in host.roles:
            return
        if not any(permit.flow in MANAGEMENT_FLOWS for permit in inbound):
            raise NoManagementPath(
                f"no administrator could reach {host.name!r} any more: give a zone, host or external the role "
                f'{Component.ADMINISTRATOR}, or set management = "console" in [options]'
            )


def _index(names: Iterable[tuple[str, ...]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, group in enumerate(names):
        for name in group:
            found.setdefault(name, []).append(number)
    return found
