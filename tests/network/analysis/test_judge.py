"""The proof engine against z3 on random rulesets over all of IPv4: equal or not, and every witness true."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.network.addresses import Addresses, Family
from controlroom.network.analysis import Effect, Match, Program, Rule, Verdict, compare
from controlroom.network.analysis.model import values_of
from controlroom.network.intervals import IntervalSet

z3 = pytest.importorskip("z3")
WIDTHS = (8, 16, 32, 32, 16)
WORLD = Match(sources=Addresses(v4=Family.IPV4.everything), destinations=Addresses(v4=Family.IPV4.everything))


def interval(bits: int) -> st.SearchStrategy[IntervalSet]:
    """Prefixes and ranges near one another, so that rules overlap at their ends."""
    prefix = st.tuples(st.sampled_from([0, 1, 5]), st.integers(0, bits)).map(
        lambda pair: (
            pair[0] >> pair[1] << pair[1] if pair[1] < bits else 0,
            (pair[0] >> pair[1] << pair[1] if pair[1] < bits else 0) + (1 << pair[1]) - 1,
        )
    )
    ends = st.tuples(st.integers(0, 20), st.integers(0, 20)).map(lambda pair: (min(pair), max(pair)))
    return st.lists(prefix | ends, min_size=1, max_size=2).map(IntervalSet.of)


matches = st.builds(
    Match,
    st.sampled_from([IntervalSet.single(6), IntervalSet.single(17), IntervalSet(((0, 255),))]),
    st.builds(Addresses, interval(32)),
    st.builds(Addresses, interval(32)),
    interval(16),
    interval(16),
)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    size = draw(st.integers(0, 8))
    rules = []
    for number in range(size):
        effect = draw(st.sampled_from(list(Effect)))
        target = draw(st.integers(number + 1, size)) if effect is Effect.SKIP else 0
        rules.append(Rule(f"rule {number}", draw(matches), effect, target))
    return Program(tuple(rules), draw(st.sampled_from([Verdict.ALLOW, Verdict.DENY])))


def formula(program: Program, packet: list[Any]) -> Any:
    """Say in z3's words which packets a program allows."""
    after: dict[int, Any] = {len(program.rules): z3.BoolVal(program.default is Verdict.ALLOW)}
    for number in range(len(program.rules) - 1, -1, -1):
        rule = program.rules[number]
        held = after[rule.target] if rule.effect is Effect.SKIP else z3.BoolVal(rule.effect is Effect.ALLOW)
        after[number] = z3.If(box(rule.match, packet), held, after[number + 1])
    return after[0]


def box(match: Match, packet: list[Any]) -> Any:
    sides = [
        z3.Or([z3.And(z3.UGE(value, low), z3.ULE(value, high)) for low, high in one])
        for value, one in zip(packet, match.fields(Family.IPV4), strict=True)
    ]
    return z3.And(sides)


@settings(deadline=None, max_examples=60)
@given(programs(), programs() | st.none(), st.data())
def test_z3_agrees_that_two_rulesets_are_equal_or_differ(
    first: Program, other: Program | None, data: st.DataObject
) -> None:
    # Now and then the second is the first with its rules in another order, which often changes nothing.
    plain = tuple(rule for rule in first.rules if rule.effect is not Effect.SKIP)
    first = first if other is not None else Program(plain, first.default)
    second = other or Program(tuple(data.draw(st.permutations(plain))), first.default)
    packet = [z3.BitVec(f"field{at}", width) for at, width in enumerate(WIDTHS)]
    solver = z3.Solver()
    solver.add(formula(first, packet) != formula(second, packet))

    found = compare(first, second, within=WORLD).differences

    assert (solver.check() == z3.unsat) is (not found)
    for one in found:
        values = [
            (mine, z3.BitVecVal(value, width))
            for mine, value, width in zip(packet, values_of(one.packet), WIDTHS, strict=True)
        ]
        allowed = [
            z3.is_true(z3.simplify(z3.substitute(formula(one_of, packet), *values)))
            for one_of in (first, second)
        ]
        assert allowed == [one.first is Verdict.ALLOW, one.second is Verdict.ALLOW]
