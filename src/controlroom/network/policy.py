"""The policy: the exact set of packets that a site's contract allows, and not one more.

Default deny. Each permit is of one flow, one transport and one address family. A side that is empty in a family
gives no permit in it; a flow that is empty in both is an error; nothing ever widens.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from controlroom.network import catalogue
from controlroom.network.addresses import Addresses, Family, join, only
from controlroom.network.catalogue import Flow, Transport
from controlroom.network.errors import EmptyFlow
from controlroom.network.intervals import IntervalSet
from controlroom.network.sides import Side, sides_of
from controlroom.network.site import Party, Site


@dataclass(frozen=True, slots=True)
class Permit:
    """A product of sets that may pass: one flow's packets in one family; the replies to them pass too."""

    flow: str
    purpose: str
    family: Family
    transport: Transport
    sources: IntervalSet
    destinations: IntervalSet
    ports: IntervalSet
    source_names: tuple[str, ...]
    destination_names: tuple[str, ...]
    cluster: bool = False


@dataclass(frozen=True, slots=True)
class Symbolic:
    """A flow with a side that is known by name or service tag alone, which only some firewalls can match."""

    flow: str
    purpose: str
    transport: Transport
    ports: IntervalSet
    sources: tuple[Party, ...]
    destinations: tuple[Party, ...]

    @property
    def parties(self) -> tuple[Party, ...]:
        """Both sides."""
        return (*self.sources, *self.destinations)


@dataclass(frozen=True, slots=True)
class Policy:
    """All that a site allows, in the catalogue's order, then the site's own flows."""

    site: Site
    permits: tuple[Permit, ...]
    symbolic: tuple[Symbolic, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def flows(self) -> tuple[str, ...]:
        """The names of the flows that the site has, each once, in order."""
        named = [one.flow for one in self.permits] + [one.flow for one in self.symbolic]
        return tuple(dict.fromkeys(named))


def derive_policy(site: Site) -> Policy:
    """Return what a site allows; raise `EmptyFlow` for a flow that could never carry a packet."""
    _refuse_missing_parts(site)
    permits: list[Permit] = []
    symbolic: list[Symbolic] = []
    notes: list[str] = []
    for side in sides_of(site):
        found = list(_permits(side))
        named = list(_symbolic(side))
        if not found and not named and _is_meant(side):
            raise EmptyFlow(side.flow, _why_empty(side))
        permits.extend(found)
        symbolic.extend(named)
        notes.extend(_strangers(side))
    return Policy(site, tuple(permits), tuple(symbolic), tuple(notes))


def _permits(side: Side) -> Iterator[Permit]:
    """Yield one permit a family, or one a destination where a party stands on both sides."""
    sources = [party for party in side.sources if not party.symbolic]
    for ports, destinations in side.by_ports():
        kept = [party for party in destinations if not party.symbolic]
        for family in Family:
            senders = [party for party in sources if party.addresses.of(family)]
            receivers = [party for party in kept if party.addresses.of(family)]
            for group in _apart(senders, receivers, family):
                if permit := _permit(side, family, ports, senders, group):
                    yield permit


def _apart(senders: list[Party], receivers: list[Party], family: Family) -> Iterator[list[Party]]:
    # A packet from a host to itself never leaves it, so that it needs no permit and gets none.
    if not senders or not receivers:
        return
    sending = join(party.addresses for party in senders).of(family)
    shared = [party for party in receivers if party.addresses.of(family).overlaps(sending)]
    others = [party for party in receivers if not party.addresses.of(family).overlaps(sending)]
    if others:
        yield others
    for party in shared:
        yield [party]


def _permit(
    side: Side, family: Family, ports: IntervalSet, senders: list[Party], receivers: list[Party]
) -> Permit | None:
    destinations = join(party.addresses for party in receivers).of(family)
    sources = join(party.addresses for party in senders).of(family) - destinations
    if not sources or not destinations or not ports:
        return None
    names = {party.name for party in receivers}
    return Permit(
        side.flow,
        side.purpose,
        family,
        side.transport,
        sources,
        destinations,
        ports,
        tuple(party.name for party in senders if party.name not in names or party.kind == "zone"),
        tuple(party.name for party in receivers),
        side.cluster,
    )


def _symbolic(side: Side) -> Iterator[Symbolic]:
    for ports, destinations in side.by_ports():
        named_sources = tuple(party for party in side.sources if party.symbolic)
        named_destinations = tuple(party for party in destinations if party.symbolic)
        if named_destinations and side.sources:
            yield Symbolic(side.flow, side.purpose, side.transport, ports, side.sources, named_destinations)
        plain = tuple(party for party in destinations if not party.symbolic)
        if named_sources and plain:
            yield Symbolic(side.flow, side.purpose, side.transport, ports, named_sources, plain)


def _is_meant(side: Side) -> bool:
    """Say whether a flow has two different parties, so that packets of it should exist."""
    return any(
        source.name != destination.name for source in side.sources for destination in side.destinations
    )


def _why_empty(side: Side) -> str:
    def families(parties: Iterable[Party]) -> str:
        found = join(party.addresses for party in parties).families
        return " and ".join(family.title for family in found) or "no address"

    return (
        f"{_listed(side.sources)} with {families(side.sources)} and {_listed(side.destinations)} with "
        f"{families(side.destinations)} share no address family; give one of them an address of the other family"
    )


def _strangers(side: Side) -> Iterator[str]:
    """Yield a note for each party that can take no part in a flow because nobody over there speaks its family."""
    pairs = ((side.sources, side.destinations, "to"), (side.destinations, side.sources, "from"))
    for parties, others, word in pairs:
        reachable = set(join(party.addresses for party in others).families)
        lost = [
            party for party in parties if not party.symbolic and not reachable & set(party.addresses.families)
        ]
        if lost and reachable:
            yield f"flow {side.flow}: {_listed(lost)} shares no address family with anyone {word} whom it flows"


def _listed(parties: Iterable[Party]) -> str:
    names = [party.name for party in parties]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


# What a site asks for by an option, and the flow that it then needs.
_DEMANDS: dict[tuple[str, str], str] = {
    ("database", "postgresql"): "database-postgresql",
    ("database", "sql-server"): "database-sql-server",
    ("database", "oracle"): "database-oracle",
    ("identity", "directory"): "directory-ldaps",
    ("identity", "active-directory"): "directory-ldaps",
    ("identity", "oidc"): "oidc",
    ("subversion", "http"): "subversion-https",
    ("subversion", "svnserve"): "subversion-svnserve",
    ("read_mail", "true"): "runner-imap",
    ("rdp_sessions", "true"): "rdp-session",
    ("client_internal", "true"): "client-internal",
}


def _refuse_missing_parts(site: Site) -> None:
    present = {role for party in site.parties for role in party.roles}
    for option in sorted(site.options.explicit):
        value = site.options.value(option)
        if (option, value) not in _DEMANDS:
            continue
        flow = catalogue.flow(_DEMANDS[option, value])
        for role in (flow.source, flow.destination):
            if role not in present:
                reason = f"option {option} = {value} asks for it, but nothing in the site has the role {role}"
                raise EmptyFlow(flow.name, reason)


def flow_of(permit: Permit) -> Flow | None:
    """Return the catalogue's flow of a permit, none where the site added it."""
    return next((one for one in catalogue.FLOWS if one.name == permit.flow), None)


def source_addresses(permit: Permit) -> Addresses:
    """Return a permit's sources as a set of both families, the other one empty."""
    return only(permit.family, permit.sources)
