"""Sets of whole numbers as sorted, disjoint, non-adjacent closed intervals: of ports, and of addresses."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class IntervalSet:
    """An immutable set of whole numbers; make it with `of`, which puts the intervals in order."""

    intervals: tuple[Interval, ...] = ()

    @classmethod
    def of(cls, intervals: Iterable[Interval]) -> Self:
        """Return the union of closed intervals in any order; raise `ValueError` where one is upside down."""
        merged: list[Interval] = []
        for low, high in sorted(intervals):
            if low > high:
                raise ValueError(f"the interval {low}-{high} is upside down")
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        return cls(tuple(merged))

    @staticmethod
    def single(value: int) -> "IntervalSet":
        """Return the set of one number."""
        return _single(value)

    def __bool__(self) -> bool:
        return bool(self.intervals)

    def __iter__(self) -> Iterator[Interval]:
        return iter(self.intervals)

    def __len__(self) -> int:
        return len(self.intervals)

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, int) or not self.intervals:
            return False
        index = bisect_right(self.intervals, value, key=lambda interval: interval[0]) - 1
        return index >= 0 and value <= self.intervals[index][1]

    def __or__(self, other: "IntervalSet") -> "IntervalSet":
        return IntervalSet.of((*self.intervals, *other.intervals))

    def __and__(self, other: "IntervalSet") -> "IntervalSet":
        # A set within one interval of the other is the commonest case by far, and costs nothing.
        if _is_within(self.intervals, other.intervals):
            return self
        if _is_within(other.intervals, self.intervals):
            return other
        found: list[Interval] = []
        mine, theirs = 0, 0
        while mine < len(self.intervals) and theirs < len(other.intervals):
            (low, high), (other_low, other_high) = self.intervals[mine], other.intervals[theirs]
            if max(low, other_low) <= min(high, other_high):
                found.append((max(low, other_low), min(high, other_high)))
            if high < other_high:
                mine += 1
            else:
                theirs += 1
        return IntervalSet(tuple(found))

    def __sub__(self, other: "IntervalSet") -> "IntervalSet":
        if not self.intervals or not other.intervals:
            return self
        return self & other.complement(self.intervals[0][0], self.intervals[-1][1])

    def complement(self, low: int, high: int) -> "IntervalSet":
        """Return what of ``low..high`` is not in this set."""
        gaps: list[Interval] = []
        start = low
        for first, last in self.intervals:
            if last < start:
                continue
            if first > high:
                break
            if first > start:
                gaps.append((start, first - 1))
            start = last + 1
        if start <= high:
            gaps.append((start, high))
        return IntervalSet(tuple(gaps))

    def overlaps(self, other: "IntervalSet") -> bool:
        """Say whether the two sets share a number; quick where one of them has few intervals."""
        few, many = sorted((self.intervals, other.intervals), key=len)
        for low, high in few:
            index = bisect_right(many, high, key=lambda interval: interval[0]) - 1
            if index >= 0 and many[index][1] >= low:
                return True
        return False

    def covers(self, other: "IntervalSet") -> bool:
        """Say whether every number of the other set is in this one."""
        return (self & other) == other

    @property
    def size(self) -> int:
        """How many numbers are in the set."""
        return sum(high - low + 1 for low, high in self.intervals)


@lru_cache(maxsize=16_384)
def _single(value: int) -> IntervalSet:
    # Rulesets name the same protocols, ports and hosts over and over.
    return IntervalSet(((value, value),))


def _is_within(inner: tuple[Interval, ...], outer: tuple[Interval, ...]) -> bool:
    return not inner or (len(outer) == 1 and outer[0][0] <= inner[0][0] and inner[-1][1] <= outer[0][1])


def union(sets: Iterable[IntervalSet]) -> IntervalSet:
    """Return the union of many sets in one sort."""
    return IntervalSet.of(interval for one in sets for interval in one.intervals)


NOTHING = IntervalSet()
