"""Who stands on each side of a flow in a given site."""

from collections.abc import Iterator
from dataclasses import dataclass

from controlroom.network import catalogue
from controlroom.network.catalogue import Component, Flow, Service, Transport
from controlroom.network.intervals import IntervalSet
from controlroom.network.site import BalancerMode, Party, PartyKind, Site


@dataclass(frozen=True, slots=True)
class Side:
    """One flow of a site: its sources, and its destinations each with the ports that it listens on."""

    flow: str
    purpose: str
    transport: Transport
    sources: tuple[Party, ...]
    listeners: tuple[tuple[Party, IntervalSet], ...]
    cluster: bool = False

    @property
    def destinations(self) -> tuple[Party, ...]:
        """The parties that listen."""
        return tuple(party for party, _ in self.listeners)

    def by_ports(self) -> Iterator[tuple[IntervalSet, list[Party]]]:
        """Group the destinations by the ports that they listen on, in order of appearance."""
        groups: dict[IntervalSet, list[Party]] = {}
        for party, ports in self.listeners:
            groups.setdefault(ports, []).append(party)
        yield from groups.items()


def sides_of(site: Site) -> Iterator[Side]:
    """Yield every flow that has parties on both sides, in the catalogue's order, then the site's own."""
    roles = _by_role(site)
    for flow in catalogue.FLOWS:
        if not _is_chosen(flow, site):
            continue
        sources = tuple(roles.get(flow.source, ()))
        listeners = tuple(
            (party, _ports(flow.service, party, site)) for party in _listeners(flow, site, roles)
        )
        if sources and listeners:
            yield Side(flow.name, flow.purpose, flow.transport, sources, listeners, flow.service.cluster)
    selectors = _by_selector(site)
    for own in site.flows:
        listeners = tuple((party, own.ports) for party in _select(own.destinations, selectors))
        yield Side(own.name, own.purpose, own.transport, tuple(_select(own.sources, selectors)), listeners)


def _by_role(site: Site) -> dict[Component, list[Party]]:
    found: dict[Component, list[Party]] = {}
    for party in site.parties:
        for role in party.roles:
            found.setdefault(role, []).append(party)
    return found


def _is_chosen(flow: Flow, site: Site) -> bool:
    if site.options.tls_only and flow.service.plain:
        return False
    return all(site.options.value(condition.option) in condition.values for condition in flow.when)


def _listeners(flow: Flow, site: Site, roles: dict[Component, list[Party]]) -> list[Party]:
    nodes = roles.get(flow.destination, [])
    if not flow.service.entrance or not site.balancers:
        return nodes
    if flow.source is Component.BOT_RUNNER and site.options.runner_link == "direct":
        return nodes
    # A transparent balancer hands packets on with the client's own address, so that its members see the client too.
    passed = {
        member
        for balancer in site.balancers
        if balancer.mode is BalancerMode.TRANSPARENT
        for member in balancer.members
    }
    return [*site.balancers, *(node for node in nodes if passed & {node.name, node.fleet})]


def _ports(service: Service, party: Party, site: Site) -> IntervalSet:
    return party.ports.get(service.name) or site.ports.get(service.name) or service.ports


def _by_selector(site: Site) -> dict[str, list[Party]]:
    """Return the parties that each word of an own flow means: a host, a fleet, a role, or a whole zone."""
    found: dict[str, list[Party]] = {}
    for party in site.parties:
        words = {party.name, party.fleet, *party.roles} - {""}
        for word in words:
            found.setdefault(word, []).append(party)
    for zone in site.zones:
        found[zone.name] = [Party(zone.name, PartyKind.ZONE, zone.name, zone.prefixes, frozenset())]
    return found


def _select(words: tuple[str, ...], selectors: dict[str, list[Party]]) -> list[Party]:
    chosen = {party.name: party for word in words for party in selectors.get(word, ())}
    return list(chosen.values())
