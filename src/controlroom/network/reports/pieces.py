"""Parts of permits: what is left of one when others are taken away, cut into products of sets that share no packet."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from controlroom.network.intervals import IntervalSet


@dataclass(frozen=True, slots=True)
class Piece:
    """Any of the sources to any of the destinations on any of the ports, in one family and by one transport."""

    sources: IntervalSet
    destinations: IntervalSet
    ports: IntervalSet

    def minus(self, other: "Piece") -> Iterator["Piece"]:
        """Yield what is left without the other, in at most three pieces that share no packet."""
        ports = self.ports & other.ports
        destinations = self.destinations & other.destinations
        if not ports or not destinations or not self.sources.overlaps(other.sources):
            yield self
            return
        for left in (
            Piece(self.sources, self.destinations, self.ports - other.ports),
            Piece(self.sources, self.destinations - other.destinations, ports),
            Piece(self.sources - other.sources, destinations, ports),
        ):
            if left.sources and left.destinations and left.ports:
                yield left


def remaining(whole: Piece, others: Iterable[Piece], *, most: int) -> list[Piece]:
    """Return what is left without all of the others; an empty list where that is more pieces than ``most``, or none."""
    pieces = [whole]
    for other in others:
        pieces = [left for piece in pieces for left in piece.minus(other)]
        if len(pieces) > most:
            return []
    return pieces
