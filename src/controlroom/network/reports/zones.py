"""What flows between which zones: every permit of a policy, pair by pair, those within one zone included."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from controlroom.network.policy import Permit, Policy
from controlroom.network.ports import format_ports
from controlroom.network.projection import Projector
from controlroom.network.reports.tables import shorten
from controlroom.network.site import OUTSIDE


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


ZonePair = tuple[str, str]
ZoneOf = Callable[[str], str]


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
        sources = _by_zone([party.name for party in one.sources], zone_of)
        destinations = _by_zone([party.name for party in one.destinations], zone_of)
        for source_zone, senders in sources.items():
            for destination_zone, receivers in destinations.items():
                row = ZoneFlow(
                    one.flow,
                    one.purpose,
                    "by name",
                    str(one.transport),
                    format_ports(one.ports),
                    shorten(senders),
                    shorten(receivers),
                    cluster=False,
                )
                found.setdefault((source_zone, destination_zone), []).append(row)
    return found


def _by_zone(names: Iterable[str], zone_of: ZoneOf) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(zone_of(name), []).append(name)
    return found


def _row(permit: Permit, senders: list[str], receivers: list[str]) -> ZoneFlow:
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
