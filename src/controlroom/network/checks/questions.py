"""What to ask of a network from one place of a site: every flow that must pass, and near misses that must not."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from controlroom.network import catalogue
from controlroom.network.addresses import Family, format_address
from controlroom.network.catalogue import Component, Transport
from controlroom.network.checks.here import local_addresses
from controlroom.network.intervals import IntervalSet, union
from controlroom.network.policy import Permit, Policy, flow_of
from controlroom.network.ports import HIGHEST_PORT, LOWEST_PORT, single_ports
from controlroom.network.probes import Probe, Target, probe, probe_for
from controlroom.network.site import Party

# A destination of more addresses than this is a network, of which nobody knows what listens where.
_MOST_ADDRESSES = 8
# A range of more ports than this is asked at its ends; the cluster's ranges have about a hundred.
_MOST_PORTS = 256


class Expectation(StrEnum):
    """What the contract says of a question."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Question:
    """One probe to make, and what should come of it. ``in_range`` marks a flow of which any one port may listen."""

    flow: str
    purpose: str
    expectation: Expectation
    probe: Probe
    target: Target
    destination: str
    in_range: bool = False

    @property
    def key(self) -> tuple[str, str, int]:
        """What two questions share that one probe answers."""
        return self.probe.name, self.target.host, self.target.port


@dataclass(frozen=True, slots=True)
class Plan:
    """All the questions from one source, and notes on what cannot be asked."""

    source: Party
    questions: tuple[Question, ...]
    notes: tuple[str, ...]


def plan_check(policy: Policy, source: Party, *, most_closed: int = 200) -> Plan:
    """Return what to ask from a source: each of its flows, and at most so many ports that must be closed to it."""
    own = dict(local_addresses(source.addresses))
    notes: list[str] = []
    if not own:
        notes.append(
            f"this machine has no address of {source.name!r}: firewalls see another source than the contract means"
        )
    asked = [
        *_open_questions(policy, source, own, notes),
        *_named_questions(policy, source, notes),
    ]
    closed = list(_closed_questions(policy, source, own))
    if len(closed) > most_closed:
        notes.append(f"{len(closed) - most_closed} of {len(closed)} ports that must be closed were left out")
    return Plan(source, (*asked, *closed[:most_closed]), tuple(dict.fromkeys(notes)))


def permits_from(policy: Policy, source: Party) -> list[Permit]:
    """Return the permits under which a source may send."""
    return [one for one in policy.permits if one.sources.overlaps(source.addresses.of(one.family))]


def _open_questions(
    policy: Policy, source: Party, own: dict[Family, str], notes: list[str]
) -> Iterator[Question]:
    parties = {party.name: party for party in policy.site.parties}
    for permit in permits_from(policy, source):
        if permit.transport is Transport.ICMPV6:
            continue
        flow = flow_of(permit)
        chosen = probe_for(permit.flow, flow.service.name if flow else None, permit.transport)
        ports = _ports(permit, notes)
        for name in permit.destination_names:
            party = parties.get(name)
            if party is None or party.name == source.name:
                if party is None:
                    notes.append(
                        f"flow {permit.flow}: {name} is a whole zone, in which nobody knows what listens"
                    )
                continue
            theirs = party.addresses.of(permit.family) & permit.destinations
            for address in _addresses(permit, party, theirs, notes):
                for port in ports:
                    target = Target(address, port, source=own.get(permit.family, ""), family=permit.family)
                    yield Question(
                        permit.flow,
                        permit.purpose,
                        Expectation.OPEN,
                        chosen,
                        target,
                        name,
                        in_range=permit.ports.size > len(permit.ports),
                    )


def _ports(permit: Permit, notes: list[str]) -> list[int]:
    if permit.ports.size <= _MOST_PORTS:
        return single_ports(permit.ports)
    notes.append(f"flow {permit.flow}: of {permit.ports.size} ports only the ends were asked")
    return sorted({end for interval in permit.ports for end in interval})


def _addresses(permit: Permit, party: Party, theirs: IntervalSet, notes: list[str]) -> Iterator[str]:
    if theirs.size > _MOST_ADDRESSES:
        notes.append(
            f"flow {permit.flow}: {party.name} is a network of {theirs.size} addresses, which was not probed"
        )
        return
    for low, high in theirs:
        for value in range(low, high + 1):
            yield format_address(permit.family, value)


def _named_questions(policy: Policy, source: Party, notes: list[str]) -> Iterator[Question]:
    """Yield the flows to externals that are known by name; what is known by a tag alone cannot be probed."""
    for one in policy.symbolic:
        if source.name not in {party.name for party in one.sources}:
            continue
        flow = next((known for known in catalogue.FLOWS if known.name == one.flow), None)
        chosen = probe_for(one.flow, flow.service.name if flow else None, one.transport)
        for party in one.destinations:
            if not party.names:
                notes.append(
                    f"flow {one.flow}: {party.name} is known by a service tag alone, which was not probed"
                )
            for name in party.names:
                for port in single_ports(one.ports) if one.ports.size <= _MOST_PORTS else []:
                    target = Target(name, port)
                    yield Question(one.flow, one.purpose, Expectation.OPEN, chosen, target, party.name)


def _closed_questions(policy: Policy, source: Party, own: dict[Family, str]) -> Iterator[Question]:
    """Yield ports of hosts that others may reach and this source may not, and neighbours of what it may; cluster first."""
    allowed = permits_from(policy, source)
    parties = {party.name: party for party in policy.site.parties if Component.HOST in party.roles}
    seen: set[tuple[str, int]] = set()
    for permit in sorted(policy.permits, key=lambda one: not one.cluster):
        if permit.transport is not Transport.TCP or not source.addresses.of(permit.family):
            continue
        for name in permit.destination_names:
            party = parties.get(name)
            if party is None or party.name == source.name:
                continue
            theirs = party.addresses.of(permit.family) & permit.destinations
            for low, _ in theirs.intervals[:1]:
                address = format_address(permit.family, low)
                mine = union(
                    one.ports
                    for one in allowed
                    if one.transport is Transport.TCP
                    and one.family is permit.family
                    and low in one.destinations
                )
                for port in _telling_ports(permit.ports):
                    if port in mine or (address, port) in seen:
                        continue
                    seen.add((address, port))
                    target = Target(address, port, source=own.get(permit.family, ""), family=permit.family)
                    purpose = f"nothing of {source.name} may reach this port"
                    yield Question(permit.flow, purpose, Expectation.CLOSED, probe("tcp"), target, name)


def _telling_ports(ports: IntervalSet) -> list[int]:
    ends = {end + step for interval in ports for end in interval for step in (-1, 0, 1)}
    return sorted(port for port in ends if LOWEST_PORT <= port <= HIGHEST_PORT)
