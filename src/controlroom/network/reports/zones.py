"""What flows where: all that a site allows in one table, and pair by pair of zones, those within one zone included."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from controlroom.network.policy import Permit, Policy, Symbolic
from controlroom.network.ports import format_ports
from controlroom.network.projection import Projector
from controlroom.network.reports.tables import PortTable, shorten
from controlroom.network.site import OUTSIDE, Party


@dataclass(frozen=True, slots=True)
class ZoneFlow:
    """One flow in one family from one zone to another, as people read it."""

    flow: str
    purpose: str
    family: str
    protocol: str
    ports: str
    sources: str
    destinations: str
    cluster: bool


# Stands in the place of a family where one side is known by name or service tag alone.
BY_NAME = "by name"
COLUMNS = ("Flow", "From", "To", "Family", "Protocol", "Ports", "Purpose")

ZonePair = tuple[str, str]
ZoneOf = Callable[[str], str]


def table_of_flows(policy: Policy) -> PortTable:
    """Return all that a site allows in one table, in the policy's order; then what is known by name alone."""
    rows = [_row(permit, permit.source_names, permit.destination_names) for permit in policy.permits]
    rows += [_row_by_name(one, _names(one.sources), _names(one.destinations)) for one in policy.symbolic]
    return PortTable(f"Flows of {policy.site.name}", COLUMNS, tuple(_cells(row) for row in rows))


def tables_by_zone(policy: Policy) -> list[PortTable]:
    """Return one table a pair of zones that has any flow, in the order of the site's zones."""
    zones = zones_of(policy)
    pairs = flows_between_zones(policy)
    ordered = sorted(pairs, key=lambda pair: (zones.index(pair[0]), zones.index(pair[1])))
    return [
        PortTable(
            f"{source} to {destination}" if source != destination else f"within {source}",
            COLUMNS,
            tuple(_cells(row) for row in pairs[source, destination]),
        )
        for source, destination in ordered
    ]


def zones_of(policy: Policy) -> list[str]:
    """Return the zones in the file's order; ``outside`` comes last, where anything of the site lies there."""
    zones = [zone.name for zone in policy.site.zones]
    strangers = any(party.zone == OUTSIDE for party in policy.site.parties)
    return [*zones, OUTSIDE] if strangers else zones


def flows_between_zones(policy: Policy) -> dict[ZonePair, list[ZoneFlow]]:
    """Return the flows of each pair of zones that has any; what is known by name alone has no family."""
    zone_of = Projector(policy).zone_of
    found: dict[ZonePair, list[ZoneFlow]] = {}
    for permit in policy.permits:
        for source_zone, senders in _by_zone(permit.source_names, zone_of).items():
            for destination_zone, receivers in _by_zone(permit.destination_names, zone_of).items():
                row = _row(permit, senders, receivers)
                found.setdefault((source_zone, destination_zone), []).append(row)
    for one in policy.symbolic:
        for source_zone, senders in _by_zone(_names(one.sources), zone_of).items():
            for destination_zone, receivers in _by_zone(_names(one.destinations), zone_of).items():
                row = _row_by_name(one, senders, receivers)
                found.setdefault((source_zone, destination_zone), []).append(row)
    return found


def _by_zone(names: Iterable[str], zone_of: ZoneOf) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(zone_of(name), []).append(name)
    return found


def _names(parties: Iterable[Party]) -> tuple[str, ...]:
    return tuple(party.name for party in parties)


def _row(permit: Permit, senders: Sequence[str], receivers: Sequence[str]) -> ZoneFlow:
    return ZoneFlow(
        permit.flow,
        permit.purpose,
        permit.family.title,
        str(permit.transport),
        format_ports(permit.ports),
        shorten(senders),
        shorten(receivers),
        permit.cluster,
    )


def _row_by_name(one: Symbolic, senders: Sequence[str], receivers: Sequence[str]) -> ZoneFlow:
    return ZoneFlow(
        one.flow,
        one.purpose,
        BY_NAME,
        str(one.transport),
        format_ports(one.ports),
        shorten(senders),
        shorten(receivers),
        cluster=False,
    )


def _cells(row: ZoneFlow) -> tuple[str, ...]:
    return (row.flow, row.sources, row.destinations, row.family, row.protocol, row.ports, row.purpose)
