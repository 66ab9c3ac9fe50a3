"""The questions that are asked of firewalls: where do two differ, who gets through, which rules do nothing."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from controlroom.network.addresses import Addresses, Family
from controlroom.network.analysis import binary
from controlroom.network.analysis.diagram import DEFAULT_BUDGET, ORDER, Diagram, Label
from controlroom.network.analysis.model import Field, Match, Packet, Program, Verdict, decide, judge
from controlroom.network.errors import BudgetExceeded
from controlroom.network.intervals import IntervalSet

# The effort at which oxidd takes over: 10,000 rules of a site take 75,000, 4,000 that all overlap 800,000.
_ACCELERATE_AT = 300_000


class Engine(StrEnum):
    """Which decision diagrams answer."""

    AUTO = "auto"
    INTERVALS = "intervals"
    OXIDD = "oxidd"


@dataclass(frozen=True, slots=True)
class Difference:
    """A packet on which two programs disagree, with the rule of each that decides it."""

    packet: Packet
    first: Verdict
    second: Verdict
    first_rule: int
    second_rule: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every pair of rules by which two programs disagree, one witness each; equal where there is none."""

    differences: tuple[Difference, ...]
    nodes: int

    @property
    def equal(self) -> bool:
        """Say whether the two programs rule alike on every packet."""
        return not self.differences


@dataclass(frozen=True, slots=True)
class Idle:
    """Rules that do nothing: shadowed ones never decide, redundant ones change no verdict where they decide.

    Rules of one name are one rule, and the last number stands for it.
    """

    shadowed: tuple[int, ...]
    redundant: tuple[int, ...]


def compare(
    first: Program,
    second: Program,
    *,
    within: Match | None = None,
    hints: Addresses | None = None,
    nearest: Mapping[Field, Addresses] | None = None,
    budget: int = DEFAULT_BUDGET,
    engine: Engine = Engine.AUTO,
) -> Comparison:
    """Return where two programs differ. Raise `BudgetExceeded`.

    Witnesses have addresses that are ``nearest`` by field where they can, else of ``hints`` where they can.

    Where very many rules overlap, oxidd takes over if it is installed; its witnesses are any packets.
    """

    def leaf(live: list[list[int]]) -> Label | None:
        mine, theirs = decide(first, live[0]), decide(second, live[1])
        if mine.verdict is theirs.verdict and mine.verdict is not Verdict.UNKNOWN:
            return None
        return (mine.verdict, theirs.verdict, mine.rule, theirs.rule)

    found: list[Difference] = []
    nodes = 0
    accelerated = engine is not Engine.INTERVALS and binary.is_installed()
    for family in Family:
        known = _numbers(hints.of(family)) if hints else ()
        effort = _ACCELERATE_AT if accelerated else sys.maxsize
        diagram = Diagram(
            (first, second),
            family,
            leaf,
            within=within,
            hints=known,
            nearest={one: _numbers(near.of(family)) for one, near in (nearest or {}).items()},
            budget=budget,
            effort=effort,
        )
        try:
            if accelerated and engine is Engine.OXIDD:
                raise BudgetExceeded(0)
            labels = diagram.labels()
        except BudgetExceeded:
            if not accelerated:
                raise
            found += _by_binary(first, second, family, within or Match())
            continue
        for label, path in labels.items():
            packet = _packet(family, diagram.packet_values(path))
            found.append(Difference(packet, *cast("tuple[Verdict, Verdict, int, int]", label)))
        nodes += diagram.nodes
    return Comparison(tuple(found), nodes)


def _by_binary(first: Program, second: Program, family: Family, within: Match) -> Iterator[Difference]:
    try:
        for packet in binary.differing(first, second, family, within):
            mine, theirs = judge(first, packet), judge(second, packet)
            yield Difference(packet, mine.verdict, theirs.verdict, mine.rule, theirs.rule)
    except MemoryError:
        raise BudgetExceeded(DEFAULT_BUDGET) from None


def find_stopped(
    wanted: Program,
    opening: Program | None,
    later: Program,
    *,
    within: Match,
    hints: Addresses | None = None,
    budget: int = DEFAULT_BUDGET,
) -> Comparison:
    """Return where a connection that is wanted, and opens, surely or perhaps gets no further. Raise `BudgetExceeded`.

    The usual program lets all later packets pass; that is seen at once, whatever the size of the others. Without
    ``opening``, what is wanted opens.
    """

    def stops(live: list[list[int]]) -> Label | None:
        return None if decide(later, live[0]).verdict is Verdict.ALLOW else True

    def leaf(live: list[list[int]]) -> Label | None:
        mine, after = decide(wanted, live[0]), decide(later, live[-1])
        opened = mine if opening is None else decide(opening, live[1])
        if Verdict.ALLOW is mine.verdict is opened.verdict and after.verdict is not Verdict.ALLOW:
            return (mine.verdict, after.verdict, mine.rule, after.rule)
        return None

    found: list[Difference] = []
    nodes = 0
    for family in Family:
        # Most that stop anything stop this, and then there is no need to look for what else.
        stray = Packet(family, min(within.protocols)[0], 1, 2, 3, 4)
        if not within.contains(stray) or judge(later, stray).verdict is Verdict.ALLOW:
            quick = Diagram((later,), family, stops, within=within, budget=budget)
            stopping = bool(quick.labels())
            nodes += quick.nodes
            if not stopping:
                continue
        diagram = Diagram(
            (wanted, later) if opening is None else (wanted, opening, later),
            family,
            leaf,
            within=within,
            hints=_numbers(hints.of(family)) if hints else (),
            budget=budget,
            first_only=wanted.default is Verdict.DENY,
        )
        for label, path in diagram.labels().items():
            packet = _packet(family, diagram.packet_values(path))
            found.append(Difference(packet, *cast("tuple[Verdict, Verdict, int, int]", label)))
        nodes += diagram.nodes
    return Comparison(tuple(found), nodes)


def sources_that_pass(
    program: Program, within: Match, *, budget: int = DEFAULT_BUDGET
) -> tuple[Addresses, Addresses]:
    """Return the source addresses from which some packet of a region surely passes, and those from which it may.

    The region is cut out first, so that the answer is quick however large the ruleset is.
    """
    order = (Field.SOURCE, *(one for one in ORDER if one is not Field.SOURCE))
    sure: dict[Family, IntervalSet] = {}
    possible: dict[Family, IntervalSet] = {}
    for family in Family:
        diagram = Diagram(
            (program,),
            family,
            lambda live: decide(program, live[0]).verdict,
            within=within,
            order=order,
            budget=budget,
        )
        segments = list(diagram.first_field())
        sure[family] = IntervalSet.of(interval for interval, labels in segments if Verdict.ALLOW in labels)
        possible[family] = IntervalSet.of(
            interval for interval, labels in segments if Verdict.UNKNOWN in labels
        )
    return (
        Addresses(sure[Family.IPV4], sure[Family.IPV6]),
        Addresses(possible[Family.IPV4], possible[Family.IPV6]),
    )


def find_idle(program: Program, *, budget: int = DEFAULT_BUDGET) -> Idle:
    """Return the rules that do nothing. Raise `BudgetExceeded`."""
    deciding: set[str] = set()
    needed: set[str] = set()

    def leaf(live: list[list[int]]) -> Label | None:
        whole = decide(program, live[0]).verdict
        for number in _that_count(program, live[0]):
            name = program.rules[number].name
            deciding.add(name)
            # A line of a chain that is called from several places is laid out several times, and goes as a whole.
            without = [other for other in live[0] if program.rules[other].name != name]
            if decide(program, without).verdict is not whole:
                needed.add(name)
        return None

    for family in Family:
        Diagram((program,), family, leaf, budget=budget, closers=2).labels()
    names = {rule.name: number for number, rule in enumerate(program.rules) if not rule.path}
    return Idle(
        tuple(number for name, number in names.items() if name not in deciding),
        tuple(number for name, number in names.items() if name in deciding and name not in needed),
    )


def _that_count(program: Program, matching: list[int]) -> Iterable[int]:
    """Yield the rules that a packet really meets: skips on its way, uncertain rules, and the one that decides."""
    position = 0
    while position < len(matching):
        number = matching[position]
        rule = program.rules[number]
        yield number
        if rule.certain and rule.effect != "skip":
            return
        position += 1
        if rule.certain:
            while position < len(matching) and matching[position] < rule.target:
                position += 1


def _numbers(addresses: IntervalSet) -> Sequence[int]:
    return sorted({bound for interval in addresses for bound in interval})


def _packet(family: Family, values: dict[Field, int]) -> Packet:
    return Packet(
        family,
        values[Field.PROTOCOL],
        values[Field.SOURCE],
        values[Field.DESTINATION],
        values[Field.SOURCE_PORT],
        values[Field.DESTINATION_PORT],
    )
