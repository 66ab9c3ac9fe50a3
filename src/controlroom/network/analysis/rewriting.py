"""Translated packets: what a match says about a packet before it was rewritten, and what a packet becomes.

A match on the rewritten packet is said exactly about the original one where the new value is one value, or where
all values that it may get are inside or all are outside; where it straddles, the match is uncertain.
"""

from collections.abc import Iterable
from dataclasses import replace

from controlroom.network.addresses import Addresses, only
from controlroom.network.analysis.model import Effect, Match, Packet, Program, Rewrite
from controlroom.network.intervals import NOTHING, IntervalSet
from controlroom.network.ports import ALL_PORTS


def mirror(match: Match) -> Match:
    """Return the match on a connection's first packet that says what this one says about its replies."""
    return Match(
        match.protocols, match.destinations, match.sources, match.destination_ports, match.source_ports
    )


def preimage(match: Match, rewrite: Rewrite) -> tuple[Match, bool]:
    """Return the packets that match once they are rewritten, and whether that is exact.

    Where it is not, the returned match holds every packet that may match. Nothing of the other family matches.
    """
    family = rewrite.family
    sources, sure_source = _before(
        match.sources.of(family), rewrite.sources, rewrite.source_shift, family.everything
    )
    destinations, sure_destination = _before(
        match.destinations.of(family), rewrite.destinations, rewrite.destination_shift, family.everything
    )
    source_ports, sure_from = _before(match.source_ports, rewrite.source_ports, 0, ALL_PORTS)
    destination_ports, sure_to = _before(match.destination_ports, rewrite.destination_ports, 0, ALL_PORTS)
    found = Match(
        match.protocols, only(family, sources), only(family, destinations), source_ports, destination_ports
    )
    return found, sure_source and sure_destination and sure_from and sure_to


def _before(
    wanted: IntervalSet, values: IntervalSet | None, shift: int, everything: IntervalSet
) -> tuple[IntervalSet, bool]:
    if shift:
        return IntervalSet(tuple((low - shift, high - shift) for low, high in wanted)) & everything, True
    if values is None:
        return wanted, True
    if wanted.covers(values):
        return everything, True
    return (everything, False) if wanted.overlaps(values) else (NOTHING, True)


def rewrites_on(program: Program, packet: Packet) -> tuple[list[Rewrite], bool]:
    """Return the translations that a packet meets on its way, and whether no uncertain rule could change them."""
    found: list[Rewrite] = []
    sure = True
    at = 0
    while at < len(program.rules):
        rule = program.rules[at]
        if not rule.match.contains(packet):
            at += 1
        elif not rule.certain:
            sure = False
            at += 1
        elif rule.effect is not Effect.SKIP:
            break
        else:
            if rule.rewrite is not None:
                found.append(rule.rewrite)
            at = rule.target
    return found, sure


def rewritten(packet: Packet, rewrites: Iterable[Rewrite]) -> Packet | None:
    """Return what a packet becomes; None where a translation has a choice of values."""
    for rewrite in rewrites:
        values = (rewrite.sources, rewrite.destinations, rewrite.destination_ports)
        if any(one is not None and one.size != 1 for one in values):
            return None
        packet = replace(
            packet,
            source=_one(rewrite.sources, packet.source + rewrite.source_shift),
            destination=_one(rewrite.destinations, packet.destination + rewrite.destination_shift),
            source_port=_kept(rewrite.source_ports, packet.source_port),
            destination_port=_one(rewrite.destination_ports, packet.destination_port),
        )
    return packet


def _one(values: IntervalSet | None, own: int) -> int:
    return own if values is None else values.intervals[0][0]


def _kept(values: IntervalSet | None, own: int) -> int:
    # The kernel keeps a source port that the translation allows and nobody else uses.
    return own if values is None or own in values else values.intervals[0][0]


def settle(rewrite: Rewrite, own: Addresses) -> Rewrite:
    """Put a host's own addresses where a translation says so; any address where they are not known."""
    if not rewrite.local:
        return rewrite
    known = own.of(rewrite.family) or rewrite.family.everything
    if rewrite.sources is not None:
        return replace(rewrite, sources=known)
    return replace(rewrite, destinations=known)
