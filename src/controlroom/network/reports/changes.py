"""Says in words what would open and what would close between two sites, or two versions of one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from controlroom.network.addresses import Addresses, Family, format_address, format_prefixes, join, only
from controlroom.network.analysis import (
    DEFAULT_BUDGET,
    Difference,
    Effect,
    Match,
    Packet,
    Program,
    Rule,
    Verdict,
    compare,
)
from controlroom.network.analysis.model import UNIMPORTANT_SENDER
from controlroom.network.intervals import IntervalSet, union
from controlroom.network.policy import Permit, Policy, Symbolic
from controlroom.network.ports import format_ports
from controlroom.network.proof import PROTOCOLS
from controlroom.network.reports.pieces import Piece, remaining
from controlroom.network.reports.tables import shorten
from controlroom.network.site import Party, Site

# A permit that comes out in more pieces than this is told as a whole, "in part".
_MOST_PIECES = 8
# Of more prefixes than this only the first and the last are written.
_MOST_PREFIXES = 3


class ChangeKind(StrEnum):
    """Whether packets would pass that did not, or the other way round."""

    OPENS = "opens"
    CLOSES = "closes"


@dataclass(frozen=True, slots=True)
class Change:
    """Packets of one permit that would newly pass or be stopped, with one of them as an example."""

    kind: ChangeKind
    flow: str
    words: str
    example: str


def changes_between(before: Policy, after: Policy, *, budget: int = DEFAULT_BUDGET) -> list[Change]:
    """Return the changes, openings first: exactly the packets that differ, then what is known by name alone."""
    old, new = program_of_policy(before), program_of_policy(after)
    known = [only(one.family, one.sources | one.destinations) for one in (*before.permits, *after.permits)]
    found = compare(old, new, hints=join(known), budget=budget).differences
    told = [*_changes(found, before, after), *_changes_by_name(before, after)]
    changes = {change.words: change for change in told}
    return sorted(changes.values(), key=lambda one: (one.kind is ChangeKind.CLOSES, one.flow, one.words))


def program_of_policy(policy: Policy) -> Program:
    """Return a whole policy as a program, wherever its packets are filtered; rule and permit numbers agree."""
    return Program(tuple(_rule(permit) for permit in policy.permits), Verdict.DENY, "no flow")


def _rule(permit: Permit) -> Rule:
    match = Match(
        IntervalSet.single(PROTOCOLS[permit.transport]),
        only(permit.family, permit.sources),
        only(permit.family, permit.destinations),
        destination_ports=permit.ports,
    )
    return Rule(permit.flow, match, Effect.ALLOW)


def _changes(found: tuple[Difference, ...], before: Policy, after: Policy) -> Iterator[Change]:
    openings = {one.second_rule: one.packet for one in found if one.second is Verdict.ALLOW}
    closings = {one.first_rule: one.packet for one in found if one.second is not Verdict.ALLOW}
    for kind, numbers, mine, other in (
        (ChangeKind.OPENS, openings, after, before),
        (ChangeKind.CLOSES, closings, before, after),
    ):
        known = _addresses_by_name(mine.site) if numbers else {}
        for number, witness in numbers.items():
            yield from _changes_of(kind, mine.permits[number], witness, known, other.permits)


def _changes_of(
    kind: ChangeKind,
    permit: Permit,
    witness: Packet,
    known: Mapping[str, Addresses],
    others: Iterable[Permit],
) -> Iterator[Change]:
    """Yield a change for each piece of a permit that the others do not allow, or one for all where they are many."""
    whole = Piece(permit.sources, permit.destinations, permit.ports)
    alike = (one for one in others if (one.family, one.transport) == (permit.family, permit.transport))
    taken = (Piece(one.sources, one.destinations, one.ports) for one in alike)
    pieces = remaining(whole, taken, most=_MOST_PIECES)
    part = "" if pieces else "in part "
    for piece in pieces or [whole]:
        of_family = {name: known[name].of(permit.family) for name in permit.source_names}
        sources = _said(of_family, piece.sources, permit.sources, permit.family)
        of_family = {name: known[name].of(permit.family) for name in permit.destination_names}
        destinations = _said(of_family, piece.destinations, permit.destinations, permit.family)
        words = (
            f"{kind} {part}{permit.transport} {format_ports(piece.ports)} ({permit.family.title}) from {sources} "
            f"to {destinations}: {permit.purpose}"
        )
        yield Change(kind, permit.flow, words, str(_example(piece, permit, witness)))


def _said(known: Mapping[str, IntervalSet], piece: IntervalSet, whole: IntervalSet, family: Family) -> str:
    """Name the parties of one side of a piece; with addresses where it is not all that the permit has of them."""
    touched = [name for name, theirs in known.items() if theirs.overlaps(piece)]
    theirs = union(known[name] for name in touched)
    if piece == theirs & whole:
        return shorten(touched)
    written = format_prefixes(family, piece)
    if len(written) > _MOST_PREFIXES:
        written = [f"{written[0]} … {written[-1]}"]
    return f"{', '.join(written)} ({shorten(touched)})" if touched else ", ".join(written)


def _addresses_by_name(site: Site) -> dict[str, Addresses]:
    zones = {zone.name: zone.prefixes for zone in site.zones}
    return {**zones, **{party.name: party.addresses for party in site.parties}}


def _example(piece: Piece, permit: Permit, witness: Packet) -> Packet:
    """Return the witness where it is of this piece, else its first packet."""
    if (
        witness.source in piece.sources
        and witness.destination in piece.destinations
        and witness.destination_port in piece.ports
    ):
        return witness
    source, destination, port = (
        one.intervals[0][0] for one in (piece.sources, piece.destinations, piece.ports)
    )
    return Packet(permit.family, PROTOCOLS[permit.transport], source, destination, UNIMPORTANT_SENDER, port)


def _changes_by_name(before: Policy, after: Policy) -> Iterator[Change]:
    old, new = ({_key(one): one for one in policy.symbolic} for policy in (before, after))
    for kind, mine, other in ((ChangeKind.OPENS, new, old), (ChangeKind.CLOSES, old, new)):
        for key in mine.keys() - other.keys():
            one = mine[key]
            sources, destinations = (
                shorten([party.name for party in side]) for side in (one.sources, one.destinations)
            )
            words = f"{kind} {one.transport} {format_ports(one.ports)} (by name) from {sources} to {destinations}: {one.purpose}"
            port = one.ports.intervals[0][0]
            example = f"{one.transport} {_first(one.sources[0])} -> {_first(one.destinations[0])}:{port}"
            yield Change(kind, one.flow, words, example)


def _key(one: Symbolic) -> tuple[object, ...]:
    sides = (
        tuple((party.name, party.names, party.service_tag, party.addresses) for party in side)
        for side in (one.sources, one.destinations)
    )
    return (one.flow, one.transport, one.ports, *sides)


def _first(party: Party) -> str:
    """Return how a packet's end is written for a party: a name, a tag or its first address."""
    if party.symbolic:
        return party.names[0] if party.names else party.service_tag
    family = party.addresses.families[0]
    return format_address(family, party.addresses.of(family).intervals[0][0])
