"""Interval decision diagrams over masks of rules.

Packets are cut field by field into intervals within which the same rules match; a node is a field with the set of
rules that still match, as the bits of one number, and nodes with the same set are one node. The size is therefore
bounded by the distinct sets of rules, not by the product of the intervals. ``hints`` are sorted numbers. A budget of nodes keeps a hostile
ruleset from eating the machine.
"""

import sys
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from controlroom.network.addresses import Family
from controlroom.network.analysis.model import (
    ALL_PROTOCOLS,
    UNIMPORTANT_SENDER,
    Effect,
    Field,
    Match,
    Program,
)
from controlroom.network.errors import BudgetExceeded
from controlroom.network.intervals import Interval, IntervalSet
from controlroom.network.ports import ALL_PORTS

DEFAULT_BUDGET = 400_000
# How telling a witness's value can be: one of those that are nearest; a hint is less, any other value least.
_MOST_TELLING = 2
ORDER = tuple(Field)

# What a leaf says, or None for nothing worth keeping; what a node keeps of each: one path to it.
Label = Hashable
Path = tuple[int, ...]
Intervals = tuple[Interval, ...]
Leaf = Callable[[list[list[int]]], Label | None]


@dataclass(slots=True)
class _Boxes:
    """The rules of several programs in one numbering: program k's rules start at ``starts[k]``."""

    fields: list[tuple[Intervals, ...]] = field(default_factory=list)
    full_from: list[int] = field(default_factory=list)
    final: list[bool] = field(default_factory=list)
    reach: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)


class Diagram:
    """The diagram of some programs over the packets of one family within a region."""

    def __init__(
        self,
        programs: Sequence[Program],
        family: Family,
        leaf: Leaf,
        *,
        within: Match | None = None,
        order: tuple[Field, ...] = ORDER,
        hints: Sequence[int] = (),
        nearest: Mapping[Field, Sequence[int]] | None = None,
        budget: int = DEFAULT_BUDGET,
        effort: int = sys.maxsize,
        closers: int = 1,
        first_only: bool = False,
    ) -> None:
        self._family = family
        self._leaf = leaf
        self._order = order
        # What is tried for a witness, best first.
        self._hints = {
            one: ((nearest or {}).get(one, ()), hints) for one in (Field.SOURCE, Field.DESTINATION)
        }
        self._budget = budget
        self._effort = effort
        self._closers = closers
        self._first_only = first_only
        self._region = (within or Match()).fields(family)
        everything = (ALL_PROTOCOLS, ALL_PORTS, family.everything, family.everything, ALL_PORTS)
        self._domain = [(self._region[one] & everything[one]).intervals for one in order]
        # The most telling values of all fields, of which a path takes the last ones where no rule asks any more.
        self._anything = tuple(self._best(level) for level in range(len(order))) if all(self._domain) else ()
        self._boxes = self._collect(programs) if all(self._domain) else _Boxes(starts=[0])
        self._bits = [1 << number for number in range(len(self._boxes.fields))]
        self._memo: dict[tuple[int, int], dict[Label, Path]] = {}
        self.nodes = 0
        # How many rules all nodes together had before them, which is what the time goes into.
        self.effort = 0

    def labels(self) -> dict[Label, Path]:
        """Return every label that some packet reaches, with the values of one such packet in field order."""
        if not all(self._domain):
            return {}
        return self._node(0, (1 << len(self._bits)) - 1)

    def first_field(self) -> Iterator[tuple[Interval, dict[Label, Path]]]:
        """Yield the intervals of the first field, each with the labels reached within it."""
        if all(self._domain):
            live, _ = self._live(0, (1 << len(self._bits)) - 1)
            for interval, mask in self._segments(0, live):
                yield interval, self._node(1, mask)

    def packet_values(self, path: Path) -> dict[Field, int]:
        """Return a path's values by field."""
        return dict(zip(self._order, path, strict=True))

    def _collect(self, programs: Sequence[Program]) -> _Boxes:
        boxes = _Boxes()
        for program in programs:
            boxes.starts.append(len(boxes.fields))
            for number, rule in enumerate(program.rules):
                clipped = self._clip(rule.match)
                if clipped is None:
                    continue
                boxes.fields.append(clipped)
                boxes.full_from.append(self._full_from(clipped))
                boxes.final.append(rule.certain and rule.effect is not Effect.SKIP)
                boxes.reach.append(rule.target if rule.effect is Effect.SKIP else number)
                boxes.numbers.append(number)
                boxes.names.append(rule.name)
        boxes.starts.append(len(boxes.fields))
        return boxes

    def _clip(self, match: Match) -> tuple[Intervals, ...] | None:
        """Return a match's sets within the domain, in the diagram's order; None where one of them is empty."""
        if not match.destinations.of(self._family).intervals:
            return None
        whole = match.fields(self._family)
        clipped: list[Intervals] = []
        for one, domain in zip(self._order, self._domain, strict=True):
            own = whole[one].intervals
            # Most rules lie wholly beside a small region or within a large one, and their ends tell so.
            if not own or own[0][0] > domain[-1][1] or own[-1][1] < domain[0][0]:
                return None
            if len(domain) > 1 or own[0][0] < domain[0][0] or own[-1][1] > domain[0][1]:
                own = (IntervalSet(own) & IntervalSet(domain)).intervals
                if not own:
                    return None
            clipped.append(own)
        return tuple(clipped)

    def _full_from(self, clipped: tuple[Intervals, ...]) -> int:
        """Return the level from which on a rule matches whatever is left."""
        level = len(clipped)
        while level and clipped[level - 1] == self._domain[level - 1]:
            level -= 1
        return level

    def _node(self, level: int, mask: int) -> dict[Label, Path]:
        live, key = self._live(level, mask)
        known = self._memo.get((level, key))
        if known is not None:
            return known
        self.nodes += 1
        self.effort += len(live)
        if self.nodes > self._budget or self.effort > self._effort:
            raise BudgetExceeded(self._budget)
        found: dict[Label, Path] = {}
        if self._first_only and not (live and live[0] < self._boxes.starts[1]):
            pass
        elif all(self._boxes.full_from[number] <= level for number in live):
            label = self._leaf(self._by_program(live))
            if label is not None:
                found[label] = self._anything[level:]
        elif not self._is_silent(level, live, key):
            self._gather(level, live, found)
        self._memo[level, key] = found
        return found

    def _is_silent(self, level: int, live: list[int], mask: int) -> bool:
        """Say whether there is nothing to tell here, for the simplest case: all rules that still ask, ask the same.

        Two rulesets that agree come to this as soon as a field has told their rules apart.
        """
        fields, full_from = self._boxes.fields, self._boxes.full_from
        rest: tuple[Intervals, ...] | None = None
        outside = mask
        for number in live:
            if full_from[number] <= level:
                continue
            if rest is None:
                rest = fields[number][level:]
            elif fields[number][level:] != rest:
                return False
            outside ^= self._bits[number]
        deepest = len(self._order)
        return not self._node(deepest, mask) and not self._node(deepest, outside)

    def _gather(self, level: int, live: list[int], found: dict[Label, Path]) -> None:
        chosen: dict[int, tuple[int, int]] = {}
        for (low, high), mask in self._segments(level, live):
            if mask not in chosen or chosen[mask][1] < _MOST_TELLING:
                value, telling = self._choose(level, low, high)
                if mask not in chosen or telling > chosen[mask][1]:
                    chosen[mask] = (value, telling)
        best: dict[Label, int] = {}
        for mask, (value, telling) in chosen.items():
            for label, path in self._node(level + 1, mask).items():
                if label not in found or telling > best[label]:
                    found[label] = (value, *path)
                    best[label] = telling

    def _best(self, level: int) -> int:
        """Return the most telling value of a level's domain, the first of several."""
        chosen = (self._choose(level, low, high) for low, high in self._domain[level])
        return max(chosen, key=lambda one: one[1])[0]

    def _choose(self, level: int, low: int, high: int) -> tuple[int, int]:
        """Return a value of an interval, and how telling it is: an address that somebody has, a port that is used."""
        one = self._order[level]
        if one in self._hints:
            for telling, hints in zip((_MOST_TELLING, 1), self._hints[one], strict=True):
                at = bisect_left(hints, low)
                if at < len(hints) and hints[at] <= high:
                    return hints[at], telling
            return low, 0
        # Port 0 is none that anybody listens on.
        wanted = {Field.SOURCE_PORT: UNIMPORTANT_SENDER, Field.PROTOCOL: 6}.get(one, max(low, 1))
        return (wanted, _MOST_TELLING) if low <= wanted <= high else (low, 0)

    def _segments(self, level: int, live: list[int]) -> Iterator[tuple[Interval, int]]:
        """Cut the level's domain into intervals within which the same live rules match, with their mask."""
        always = 0
        flips: dict[int, int] = {}
        for number in live:
            bit = self._bits[number]
            own = self._boxes.fields[number][level]
            if own == self._domain[level]:
                always |= bit
                continue
            for low, high in own:
                flips[low] = flips.get(low, 0) ^ bit
                flips[high + 1] = flips.get(high + 1, 0) ^ bit
        cuts = sorted(flips)
        for low, high in self._domain[level]:
            yield from _sweep(low, high, cuts, flips, always)

    def _live(self, level: int, mask: int) -> tuple[list[int], int]:
        """Return the rules of a mask, and the mask, without those behind a rule that matches whatever is left.

        With two closers, the rules behind the first such rule stay up to the next one of another name, so that a leaf
        can ask what would happen without one of them.
        """
        boxes = self._boxes
        live: list[int] = []
        program, closed, furthest, closer = 0, 0, -1, ""
        for number in _bits_of(mask):
            while number >= boxes.starts[program + 1]:
                program, closed, furthest, closer = program + 1, 0, -1, ""
            if closed >= self._closers:
                continue
            live.append(number)
            # A skip in front of this rule may still land behind it, and then it closes nothing.
            if boxes.full_from[number] <= level and boxes.final[number] and furthest <= boxes.numbers[number]:
                closed += self._closers == 1 or not closed or boxes.names[number] != closer
                closer = boxes.names[number]
                if closed == self._closers:
                    mask &= ~((1 << boxes.starts[program + 1]) - (2 << number))
            furthest = max(furthest, boxes.reach[number])
        return live, mask

    def _by_program(self, live: list[int]) -> list[list[int]]:
        starts = self._boxes.starts
        groups: list[list[int]] = [[] for _ in range(len(starts) - 1)]
        program = 0
        for number in live:
            while number >= starts[program + 1]:
                program += 1
            groups[program].append(self._boxes.numbers[number])
        return groups


def _sweep(
    low: int, high: int, cuts: list[int], flips: dict[int, int], always: int
) -> Iterator[tuple[Interval, int]]:
    mask = always
    start = low
    for cut in cuts:
        if cut > high:
            break
        if cut > start:
            yield (start, cut - 1), mask
            start = cut
        mask ^= flips[cut]
    yield (start, high), mask


def _bits_of(mask: int) -> list[int]:
    """Return the numbers of the bits that are set, ascending; quick for few bits and for many."""
    if mask.bit_count() < 64:
        found = []
        while mask:
            low = mask & -mask
            found.append(low.bit_length() - 1)
            mask ^= low
        return found
    text = bin(mask)[:1:-1]
    numbers: list[int] = []
    at = text.find("1")
    while at >= 0:
        numbers.append(at)
        at = text.find("1", at + 1)
    return numbers
