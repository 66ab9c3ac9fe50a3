"""What the picture shows: the parts of the data centre, the ports that each opens, and who calls them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from controlroom.network import catalogue
from controlroom.network.catalogue import Component, Flow
from controlroom.network.catalogue.model import IMPLIED_COMPONENTS
from controlroom.network.intervals import IntervalSet, union
from controlroom.network.policy import Policy
from controlroom.network.ports import format_ports
from controlroom.network.reports.tables import shorten
from controlroom.network.site import PartyKind, Site


class Column(IntEnum):
    """Where a part stands."""

    LEFT = 0
    MIDDLE = 1
    RIGHT = 2


# From top to bottom: who mostly calls the Control Room first, so that few lines cross.
_LEFT = (
    Component.BROWSER,
    Component.API_CLIENT,
    Component.BOT_CREATOR,
    Component.BOT_RUNNER,
    Component.IQ_BOT,
    Component.BOT_INSIGHT,
    Component.MONITORING,
    Component.ADMINISTRATOR,
)
_MIDDLE = (Component.LOAD_BALANCER, Component.CONTROL_ROOM, Component.HOST)
_SYSTEMS = {Component.LINUX_HOST: "on Linux", Component.WINDOWS_HOST: "on Windows"}
_EVERY_HOST = "every host"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a part: ports that it opens. ``inner`` ones only its own kind may call."""

    ports: str
    application: str
    inner: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A box of the picture; ``names`` are who plays the part in a site."""

    key: str
    column: Column
    title: str
    names: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A line of the picture: one part calls one row of another."""

    source: str
    target: str
    row: Row
    purpose: str


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is drawn; the parts of each column are in order from top to bottom."""

    title: str
    parts: tuple[Part, ...]
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class _Use:
    """One kind of caller at the ports of one kind of listener."""

    source: str
    target: str
    ports: str
    application: str
    purpose: str


def picture_of(policy: Policy | None) -> Picture:
    """Return the picture of the whole catalogue, or of one site."""
    uses = list(dict.fromkeys(_of_catalogue() if policy is None else _of_site(policy)))
    callers: dict[tuple[str, str, str], set[str]] = {}
    for use in uses:
        callers.setdefault((use.target, use.ports, use.application), set()).add(use.source)
    rows = {
        (target, ports, application): Row(ports, application, inner=sources == {target})
        for (target, ports, application), sources in callers.items()
    }
    keys = dict.fromkeys(key for use in uses for key in (use.source, use.target))
    parts = [
        Part(
            key,
            _column(key, {use.target for use in uses}),
            *_title(key, policy),
            tuple(sorted((row for at, row in rows.items() if at[0] == key), key=lambda row: row.inner)),
        )
        for key in sorted(keys, key=_rank)
    ]
    calls = [
        Call(use.source, use.target, rows[use.target, use.ports, use.application], use.purpose)
        for use in uses
        if use.source != use.target
    ]
    title = f"Ports of site {policy.site.name}" if policy else "Ports of the data centre"
    return Picture(title, tuple(parts), tuple(calls))


def _of_catalogue() -> Iterator[_Use]:
    # A balancer takes the entrance over where there is one; the Control Room has the same ports where there is none.
    for flow in catalogue.FLOWS:
        at = Component.LOAD_BALANCER if flow.service.entrance else flow.destination
        yield _use(flow, at, flow.service.ports)


def _of_site(policy: Policy) -> Iterator[_Use]:
    for flow in catalogue.FLOWS:
        for component, ports in _listeners(flow, policy):
            yield _use(flow, component, ports)
    for own in policy.site.flows:
        for source in _played(own.sources, policy.site):
            for target in _played(own.destinations, policy.site):
                yield _Use(
                    source, target, f"{own.transport} {format_ports(own.ports)}", own.name, own.purpose
                )


def _use(flow: Flow, at: Component, ports: IntervalSet) -> _Use:
    application = f"{flow.service.application} {_SYSTEMS.get(at, '')}".rstrip()
    named = f"{flow.transport} {format_ports(ports)}"
    return _Use(_key(flow.source), _key(at), named, application, flow.purpose)


def _key(component: Component) -> str:
    return str(Component.HOST if component in _SYSTEMS else component)


def _listeners(flow: Flow, policy: Policy) -> Iterator[tuple[Component, IntervalSet]]:
    """Yield who listens to a flow in a site, and where: itself, the balancer before it, or both."""
    ports = [(one.ports, one.destination_names) for one in policy.permits if one.flow == flow.name]
    ports += [
        (one.ports, tuple(party.name for party in one.destinations))
        for one in policy.symbolic
        if one.flow == flow.name
    ]
    balancers = {party.name for party in policy.site.balancers} if flow.service.entrance else set()
    if before := union(chosen for chosen, names in ports if balancers & set(names)):
        yield Component.LOAD_BALANCER, before
    if itself := union(chosen for chosen, names in ports if not balancers.issuperset(names)):
        yield flow.destination, itself


def _played(sides: tuple[str, ...], site: Site) -> list[str]:
    """Return the components that names and roles stand for, each once; a name without one stands for itself."""
    found: dict[str, None] = {}
    for side in sides:
        if side in tuple(Component):
            found[side] = None
            continue
        meant = [party for party in site.parties if side in {party.name, party.fleet, party.zone}]
        roles = {str(role) for party in meant for role in party.roles - IMPLIED_COMPONENTS}
        found |= dict.fromkeys(sorted(roles) or [side])
    return list(found)


def _column(key: str, targets: Iterable[str]) -> Column:
    if key in _MIDDLE:
        return Column.MIDDLE
    stranger = key not in tuple(Component)
    return Column.LEFT if key in _LEFT or (stranger and key not in targets) else Column.RIGHT


def _rank(key: str) -> tuple[int, str]:
    order = [*_LEFT, *_MIDDLE, *(one for one in Component if one not in (*_LEFT, *_MIDDLE))]
    return (order.index(Component(key)), "") if key in order else (len(order), key)


def _title(key: str, policy: Policy | None) -> tuple[str, str]:
    shown = _EVERY_HOST if key == Component.HOST else key
    if policy is None:
        return shown, ""
    names = [party.name for party in policy.site.parties if key in party.roles]
    hosts = [
        party.name
        for party in policy.site.parties
        if key in party.roles and party.kind in {PartyKind.HOST, PartyKind.BALANCER}
    ]
    title = f"{shown} × {len(hosts)}" if len(hosts) > 1 else shown
    return title, "" if key == Component.HOST else shorten(names)
