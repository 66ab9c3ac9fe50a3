"""Which way the lines of the picture take: at right angles, through channels and one passage, never behind a box.

Each caller has one lane of its own in each channel, which all its lines share, so that they branch off one trunk. The
order of the lanes is the one with the fewest crossings that small changes find.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from controlroom.network.reports.diagram.parts import Call, Column, Picture, Row
from controlroom.network.reports.diagram.places import (
    CHANNEL_SIDE,
    LANE,
    LINE,
    Placed,
    channels_between,
    passing_sources,
)

Point = tuple[float, float]
# Lines that arrive at one row keep this far apart, as far as the row's height has room.
_APART = 4.0
# Two lines on top of each other read worse than some that cross.
_OVERLAP_COST = 5
_NEAR = 2.5


@dataclass(frozen=True, slots=True)
class Route:
    """One call's way: its corners, from the caller's edge to the row's."""

    call: Call
    points: tuple[Point, ...]


@dataclass(slots=True)
class _Trunk:
    """One caller in one channel: the heights at which its lines come from or go to the left and the right side."""

    left: set[float] = field(default_factory=set)
    right: set[float] = field(default_factory=set)

    @property
    def span(self) -> tuple[float, float]:
        heights = self.left | self.right
        return min(heights), max(heights)


def route(picture: Picture, placed: Placed) -> list[Route]:
    """Return the way of every call."""
    passages = {key: placed.passage + LANE * number for number, key in enumerate(passing_sources(picture))}
    arrivals = _arrivals(picture, placed, passages)
    lanes = _lanes(picture, placed, passages, arrivals)
    return [Route(call, _way(call, placed, passages, arrivals, lanes)) for call in picture.calls]


def _column(placed: Placed, key: str) -> Column:
    return placed.boxes[key].part.column


def _channels(placed: Placed, call: Call) -> tuple[int, ...]:
    return channels_between(_column(placed, call.source), _column(placed, call.target))


def _arrivals(
    picture: Picture, placed: Placed, passages: Mapping[str, float]
) -> dict[tuple[str, str, Row], float]:
    """Return the height at which each caller's line meets a row: apart from each other, in the order they come from."""
    callers: dict[tuple[str, Row, int], dict[str, float]] = {}
    for call in picture.calls:
        way = _channels(placed, call)
        height = passages[call.source] if len(way) > 1 else placed.boxes[call.source].leaving
        callers.setdefault((call.target, call.row, way[-1]), {})[call.source] = height
    found = {}
    for (target, row, _), sources in callers.items():
        apart = min(_APART, (LINE - 4) / max(len(sources) - 1, 1))
        first = placed.boxes[target].rows[row] - apart * (len(sources) - 1) / 2
        for number, source in enumerate(sorted(sources, key=lambda one: sources[one])):
            found[source, target, row] = first + number * apart
    return found


def _lanes(
    picture: Picture,
    placed: Placed,
    passages: Mapping[str, float],
    arrivals: Mapping[tuple[str, str, Row], float],
) -> dict[tuple[int, str], float]:
    """Return where each caller's trunk stands in each channel."""
    trunks: dict[int, dict[str, _Trunk]] = {0: {}, 1: {}}
    for call in picture.calls:
        way = _channels(placed, call)
        for channel in way:
            trunk = trunks[channel].setdefault(call.source, _Trunk())
            if channel == way[0]:
                at_left = _column(placed, call.source) == channel
                (trunk.left if at_left else trunk.right).add(placed.boxes[call.source].leaving)
            if channel == way[-1]:
                at_left = _column(placed, call.target) == channel
                (trunk.left if at_left else trunk.right).add(arrivals[call.source, call.target, call.row])
            if len(way) > 1:
                (trunk.right if channel == 0 else trunk.left).add(passages[call.source])
    found: dict[tuple[int, str], float] = {}
    for channel, those in trunks.items():
        x, width = placed.columns[channel]
        for number, key in enumerate(_least_crossing(those)):
            found[channel, key] = x + width + CHANNEL_SIDE + number * LANE
    return found


def _least_crossing(trunks: Mapping[str, _Trunk]) -> list[str]:
    """Return the callers from left to right: each is moved to its best place until no move makes fewer crossings."""
    cost = {
        (one, other): _crossings(trunks[one], trunks[other])
        for one in trunks
        for other in trunks
        if one != other
    }
    order = list(trunks)
    better = True
    while better:
        better = False
        for key in list(order):
            rest = [one for one in order if one != key]
            places = [[*rest[:place], key, *rest[place:]] for place in range(len(order))]
            best = min(places, key=lambda one: _total(one, cost))
            if _total(best, cost) < _total(order, cost):
                order, better = best, True
    return order


def _total(order: Sequence[str], cost: Mapping[tuple[str, str], int]) -> int:
    return sum(cost[one, other] for place, one in enumerate(order) for other in order[place + 1 :])


def _crossings(one: _Trunk, other: _Trunk) -> int:
    """Return how often two trunks' lines cross or lie on each other where the one stands left of the other."""
    crossed = _within(other.left, one.span) + _within(one.right, other.span)
    on_top = sum(abs(height - near) < _NEAR for height in one.right for near in other.left)
    return crossed + on_top * _OVERLAP_COST


def _within(heights: Iterable[float], span: tuple[float, float]) -> int:
    return sum(span[0] <= height <= span[1] for height in heights)


def _way(
    call: Call,
    placed: Placed,
    passages: Mapping[str, float],
    arrivals: Mapping[tuple[str, str, Row], float],
    lanes: Mapping[tuple[int, str], float],
) -> tuple[Point, ...]:
    source, target = placed.boxes[call.source], placed.boxes[call.target]
    way = _channels(placed, call)
    heights = [float(source.leaving), arrivals[call.source, call.target, call.row]]
    if len(way) > 1:
        heights.insert(1, passages[call.source])
    points: list[Point] = [(source.right if source.part.column == way[0] else source.x, heights[0])]
    for number, channel in enumerate(way):
        x = lanes[channel, call.source]
        points += [(x, heights[number]), (x, heights[number + 1])]
    points.append((target.right if target.part.column == way[-1] else target.x, heights[-1]))
    return tuple(points)
