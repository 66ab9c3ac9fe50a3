"""The proof engine against brute force on random programs, with skips and uncertain rules."""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.network.addresses import Addresses, Family
from controlroom.network.analysis import (
    Effect,
    Engine,
    Match,
    Packet,
    Program,
    Rule,
    Verdict,
    compare,
    find_idle,
    judge,
    questions,
    sources_that_pass,
)
from controlroom.network.analysis.model import Field, values_of
from controlroom.network.errors import BudgetExceeded
from controlroom.network.intervals import IntervalSet

SMALL = 6
PROTOCOLS = IntervalSet(((6, 6), (17, 17)))
BOX = Match(
    PROTOCOLS,
    Addresses(IntervalSet(((0, SMALL),)), IntervalSet(((0, 1),))),
    Addresses(IntervalSet(((0, SMALL),)), IntervalSet(((0, 1),))),
    IntervalSet(((0, 2),)),
    IntervalSet(((0, SMALL),)),
)


def some_set(highest: int) -> st.SearchStrategy[IntervalSet]:
    ends = st.tuples(st.integers(0, highest), st.integers(0, highest)).map(
        lambda pair: (min(pair), max(pair))
    )
    return st.lists(ends, min_size=0, max_size=2).map(IntervalSet.of) | st.just(IntervalSet(((0, highest),)))


matches = st.builds(
    Match,
    st.sampled_from([PROTOCOLS, IntervalSet.single(6), IntervalSet.single(17)]),
    st.builds(Addresses, some_set(SMALL), some_set(1)),
    st.builds(Addresses, some_set(SMALL), some_set(1)),
    some_set(2),
    some_set(SMALL),
)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    size = draw(st.integers(0, 6))
    rules = []
    for number in range(size):
        effect = draw(st.sampled_from([Effect.ALLOW, Effect.DENY, Effect.ALLOW, Effect.DENY, Effect.SKIP]))
        target = draw(st.integers(number + 1, size)) if effect is Effect.SKIP else 0
        certain = draw(st.sampled_from([True, True, True, False]))
        rules.append(Rule(f"rule {number}", draw(matches), effect, target, certain))
    return Program(tuple(rules), draw(st.sampled_from([Verdict.ALLOW, Verdict.DENY])))


def every_packet() -> Iterator[Packet]:
    for family in Family:
        ranges = [
            [value for low, high in one for value in range(low, high + 1)] for one in BOX.fields(family)
        ]
        for protocol, port, destination, source, source_port in itertools.product(*ranges):
            yield Packet(family, protocol, source, destination, source_port, port)


PACKETS = list(every_packet())


@settings(deadline=None, max_examples=60)
@given(programs(), programs())
def test_comparison_finds_exactly_the_pairs_of_rules_that_brute_force_finds(
    first: Program, second: Program
) -> None:
    expected = set()
    for packet in PACKETS:
        mine, theirs = judge(first, packet), judge(second, packet)
        if mine.verdict is not theirs.verdict or mine.verdict is Verdict.UNKNOWN:
            expected.add((packet.family, mine.verdict, theirs.verdict, mine.rule, theirs.rule))

    found = compare(first, second, within=BOX).differences

    assert {(d.packet.family, d.first, d.second, d.first_rule, d.second_rule) for d in found} == expected
    for difference in found:
        assert judge(first, difference.packet).verdict is difference.first
        assert judge(second, difference.packet).verdict is difference.second


@settings(deadline=None, max_examples=40)
@given(programs(), matches)
def test_sources_that_pass_are_those_of_brute_force(program: Program, within: Match) -> None:
    region = within & BOX
    expected: dict[tuple[Family, Verdict], set[int]] = {}
    for packet in PACKETS:
        if region.contains(packet):
            verdict = judge(program, packet).verdict
            expected.setdefault((packet.family, verdict), set()).add(packet.source)

    sure, possible = sources_that_pass(program, region)

    for family in Family:
        for verdict, found in ((Verdict.ALLOW, sure), (Verdict.UNKNOWN, possible)):
            numbers = {value for low, high in found.of(family) for value in range(low, high + 1)}
            assert numbers == expected.get((family, verdict), set())


@settings(deadline=None, max_examples=40)
@given(programs())
def test_an_idle_rule_can_go_without_any_packet_noticing(program: Program) -> None:
    whole = Program(tuple(rule for rule in program.rules if rule.effect is not Effect.SKIP), program.default)
    idle = find_idle(whole)

    for number, rule in enumerate(whole.rules):
        rest = Program(tuple(one for one in whole.rules if one is not rule), whole.default)
        changed = any(judge(whole, packet).verdict is not judge(rest, packet).verdict for packet in PACKETS)
        assert changed == (number not in {*idle.shadowed, *idle.redundant})


def test_a_program_is_equal_to_itself_and_a_hole_of_one_packet_is_found() -> None:
    def program(ports: tuple[tuple[int, int], ...]) -> Program:
        box = Match(IntervalSet.single(6), destination_ports=IntervalSet.of(ports))
        return Program((Rule("web", box, Effect.ALLOW),))

    whole = program(((1, 65535),))

    assert compare(whole, program(((1, 4000), (4001, 65535)))).equal
    found = compare(whole, program(((1, 4000), (4002, 65535)))).differences
    assert {difference.packet.destination_port for difference in found} == {4001}
    assert {difference.packet.family for difference in found} == set(Family)


def test_an_uncertain_rule_leaves_what_it_cannot_change() -> None:
    maybe = Rule("maybe", Match(), Effect.ALLOW, certain=False, reason="match 'time' is not understood")
    web = Rule("web", Match(destination_ports=IntervalSet.single(80)), Effect.ALLOW)
    program = Program((maybe, web))
    packet = PACKETS[0]

    assert judge(program, packet).verdict is Verdict.UNKNOWN
    on_web = Packet(packet.family, 6, 0, 0, 1, 80)
    assert judge(program, on_web).verdict is Verdict.ALLOW


def test_many_uncertain_skips_cost_no_more_than_many_rules() -> None:
    rules = [Rule(f"{n}", Match(), Effect.SKIP, n + 2, certain=False) for n in range(3000)]

    assert judge(Program(tuple(rules)), PACKETS[0]).verdict is Verdict.DENY


def test_a_proof_beyond_its_budget_is_given_up_and_says_so() -> None:
    rules = tuple(
        Rule(f"{n}", Match(destination_ports=IntervalSet.single(n)), Effect.ALLOW) for n in range(1, 50)
    )

    with pytest.raises(BudgetExceeded, match="more than 20 nodes"):
        compare(Program(rules), Program(()), budget=20, engine=Engine.INTERVALS)


def test_witness_takes_an_address_that_somebody_has() -> None:
    rule = Rule("all", Match(), Effect.ALLOW)
    hints = Addresses(v4=IntervalSet.single(0x0A000007))

    found = compare(Program((rule,)), Program(()), hints=hints).differences

    ipv4 = next(difference.packet for difference in found if difference.packet.family is Family.IPV4)
    assert ipv4.source == ipv4.destination == 0x0A000007
    assert values_of(ipv4)[Field.SOURCE_PORT] == 49152


@settings(deadline=None, max_examples=40)
@given(programs(), programs())
def test_both_engines_agree_on_whether_and_where_programs_differ(first: Program, second: Program) -> None:
    pytest.importorskip("oxidd")
    ours = compare(first, second, within=BOX, engine=Engine.INTERVALS).differences
    theirs = compare(first, second, within=BOX, engine=Engine.OXIDD).differences

    pairs = {(one.packet.family, one.first_rule, one.second_rule) for one in ours}
    assert {one.packet.family for one in theirs} == {one.packet.family for one in ours}
    assert {(one.packet.family, one.first_rule, one.second_rule) for one in theirs} <= pairs
    for one in theirs:
        assert BOX.contains(one.packet)
        assert judge(first, one.packet).verdict is one.first
        assert one.first is not one.second or one.first is Verdict.UNKNOWN


def test_a_proof_that_outgrows_intervals_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("oxidd")
    monkeypatch.setattr(questions, "_ACCELERATE_AT", 20)
    rules = tuple(
        Rule(f"{n}", Match(destination_ports=IntervalSet.single(n)), Effect.ALLOW) for n in range(1, 50)
    )

    assert compare(Program(rules), Program(rules[::-1])).equal
    found = compare(Program(rules), Program(rules[1:])).differences
    assert {one.packet.destination_port for one in found} == {1}
    monkeypatch.setattr(questions.binary, "is_installed", lambda: False)
    with pytest.raises(BudgetExceeded):
        compare(Program(rules), Program(rules[::-1]), budget=20)
