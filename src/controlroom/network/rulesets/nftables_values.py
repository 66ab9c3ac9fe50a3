"""Reads the values of one nftables rule: sets, ranges, prefixes, numbers and flags as nft's JSON writes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from controlroom.network.addresses import Family, parse_range
from controlroom.network.analysis import Match
from controlroom.network.intervals import IntervalSet
from controlroom.network.rulesets.chains import Condition
from controlroom.network.rulesets.line_tests import LineTest, flags_of


class NotUnderstood(Exception):
    """A signal that a match is beyond us; its text says what was met. The reader of the rule makes a doubt of it."""


@dataclass(slots=True)
class Reading:
    """One rule while it is read: what it matches so far, and the sets of its table by their full names."""

    sets: Mapping[str, Sequence[object]]
    prefix: str
    match: Match = field(default_factory=Match)
    family: str = "inet"
    possible: bool = True
    conditions: list[Condition] = field(default_factory=list)
    tests: list[LineTest] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def members_of(reading: Reading, right: object) -> Sequence[object]:
    """Spell a right-hand side out: one value, an anonymous set, or a named set."""
    if isinstance(right, str) and right.startswith("@"):
        named = reading.sets.get(reading.prefix + right[1:])
        if named is None:
            raise NotUnderstood(f"set {right!r}, which is not there,")
        return [_bare(one) for one in named]
    if isinstance(right, Mapping) and isinstance(inner := right.get("set"), list):
        return [_bare(one) for one in inner]
    return [right]


def _bare(element: object) -> object:
    """Take an element out of the wrapping that carries its counter, time-out or comment."""
    if isinstance(element, Mapping) and isinstance(inner := element.get("elem"), Mapping):
        return inner.get("val")
    return element


def numbers_of(reading: Reading, right: object, names: Mapping[str, int]) -> IntervalSet:
    """Return the numbers of a right-hand side; raise `NotUnderstood` for names that are not given."""

    def number(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value in names:
            return names[value]
        if isinstance(value, str) and value.isdecimal():
            return int(value)
        raise NotUnderstood(f"value {value!r}")

    found: list[tuple[int, int]] = []
    for one in members_of(reading, right):
        ends = one.get("range") if isinstance(one, Mapping) else [one, one]
        if not isinstance(ends, list) or len(ends) != 2:
            raise NotUnderstood("a value of an unknown shape")
        low, high = number(ends[0]), number(ends[1])
        if low > high:
            raise NotUnderstood(f"range {low}-{high}")
        found.append((low, high))
    return IntervalSet.of(found)


def interval_of(family: Family, value: object) -> tuple[int, int]:
    """Return the lowest and highest address of a value; raise `NotUnderstood` for the other family and other shapes."""
    try:
        if isinstance(value, Mapping) and isinstance(prefix := value.get("prefix"), Mapping):
            found = parse_range(f"{prefix['addr']}/{prefix['len']}")
        elif isinstance(value, Mapping) and isinstance(ends := value.get("range"), list) and len(ends) == 2:
            found = parse_range(f"{ends[0]}-{ends[1]}")
        elif isinstance(value, str):
            found = parse_range(value)
        else:
            raise NotUnderstood("an address of an unknown shape")
    except (ValueError, KeyError):
        raise NotUnderstood(f"address {value!r}") from None
    if found[0] is not family:
        raise NotUnderstood(f"address {value!r} of the other family")
    return found[1], found[2]


def flag_bits(value: object) -> int:
    """Return TCP flags as bits; raise `NotUnderstood`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, Mapping) and isinstance(parts := value.get("|"), list):
        value = parts
    try:
        return flags_of(",".join(words_of(value)))
    except ValueError as error:
        raise NotUnderstood(f"TCP flags {error}") from None


def words_of(right: object) -> set[str]:
    if isinstance(right, str):
        return {part.strip() for part in right.split(",")}
    if isinstance(right, Mapping) and isinstance(right.get("set"), list):
        right = right["set"]
    if isinstance(right, list) and all(isinstance(one, str) for one in right):
        return set(right)
    raise NotUnderstood("a set of flags")


def unless_negated(found: IntervalSet, everything: IntervalSet, *, negated: bool) -> IntervalSet:
    """Return a set, or all but it."""
    return everything - found if negated else found
