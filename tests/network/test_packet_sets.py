"""The algebra of packet sets against Python's own sets: intervals, addresses of both families, and parts of permits."""

import ipaddress
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.network.addresses import (
    Addresses,
    Family,
    format_prefixes,
    join,
    only,
    parse_addresses,
    prefixes,
)
from controlroom.network.intervals import IntervalSet, union
from controlroom.network.ports import format_ports, parse_ports
from controlroom.network.reports.pieces import Piece, remaining

HIGHEST = 24
numbers = st.sets(st.integers(0, HIGHEST))
families = st.sampled_from(list(Family))


def of(values: set[int]) -> IntervalSet:
    return IntervalSet.of((value, value) for value in values)


def members(one: IntervalSet) -> set[int]:
    return {value for low, high in one for value in range(low, high + 1)}


@given(numbers, numbers)
def test_intervals_behave_as_sets_do(first: set[int], second: set[int]) -> None:
    one, two = of(first), of(second)

    assert members(one | two) == first | second
    assert members(one & two) == first & second
    assert members(one - two) == first - second
    assert one.overlaps(two) == bool(first & second)
    assert one.covers(two) == (second <= first)
    assert one.size == len(first)
    assert bool(one) == bool(first)
    assert {value for value in range(-1, HIGHEST + 2) if value in one} == first


@given(numbers, numbers)
def test_the_same_set_is_written_in_one_way_alone(first: set[int], second: set[int]) -> None:
    one, two = of(first), of(second)

    assert (one == two) == (first == second)
    assert union([one, two]) == two | one == of(first | second)
    assert (one | two) - two == one - two
    assert all(high + 1 < low for (_, high), (low, _) in itertools.pairwise(one | two))


@given(numbers, st.integers(0, HIGHEST), st.integers(0, HIGHEST))
def test_a_complement_is_what_is_not_there(values: set[int], low: int, high: int) -> None:
    assert members(of(values).complement(low, high)) == set(range(low, high + 1)) - values


@given(st.integers(), st.integers())
def test_an_interval_that_is_upside_down_is_refused(first: int, second: int) -> None:
    low, high = sorted((first, second))

    assert IntervalSet.of([(low, high)]).intervals == ((low, high),)
    if low < high:
        with pytest.raises(ValueError, match="upside down"):
            IntervalSet.of([(high, low)])


@given(st.sets(st.integers(1, 65535), min_size=1, max_size=20))
def test_ports_are_read_as_they_are_written(values: set[int]) -> None:
    assert parse_ports(format_ports(of(values))) == of(values)


@given(
    st.builds(Addresses, numbers.map(of), numbers.map(of)),
    st.builds(Addresses, numbers.map(of), numbers.map(of)),
)
def test_families_never_mix(one: Addresses, two: Addresses) -> None:
    for family in Family:
        mine, theirs = one.of(family), two.of(family)
        assert (one | two).of(family) == mine | theirs == join([one, two]).of(family)
        assert (one & two).of(family) == mine & theirs
        assert (one - two).of(family) == mine - theirs
        assert (family in one.families) == bool(mine)
        assert not any(only(family, mine).of(other) for other in Family if other is not family)
    assert one.covers(two) == all(one.of(family).covers(two.of(family)) for family in Family)


@given(families, st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 300)), max_size=6))
def test_prefixes_say_a_set_exactly_and_are_the_fewest(family: Family, spans: list[tuple[int, int]]) -> None:
    most = 2**family.bits - 1
    addresses = IntervalSet.of((low, min(low + width, most)) for low, width in spans)

    written = format_prefixes(family, addresses)

    assert parse_addresses(written).of(family) == addresses
    assert [str(one) for one in ipaddress.collapse_addresses(map(ipaddress.ip_network, written))] == [
        str(ipaddress.ip_network(one)) for one in written
    ]
    assert len(list(prefixes(family, addresses))) == len(written)


few = st.sets(st.integers(0, 4), min_size=1).map(of)
pieces = st.builds(Piece, few, few, few)


def packets(one: Piece) -> set[tuple[int, int, int]]:
    return set(itertools.product(members(one.sources), members(one.destinations), members(one.ports)))


@given(pieces, st.lists(pieces, max_size=4))
def test_what_remains_of_a_permit_is_exact_and_told_once(whole: Piece, others: list[Piece]) -> None:
    left = remaining(whole, others, most=1000)

    expected = packets(whole).difference(*(packets(other) for other in others))
    assert set().union(*(packets(piece) for piece in left)) == expected
    assert sum(len(packets(piece)) for piece in left) == len(expected)
    assert all(packets(piece) for piece in left)


@given(pieces, st.lists(pieces, max_size=4))
def test_too_many_pieces_are_none(whole: Piece, others: list[Piece]) -> None:
    assert len(remaining(whole, others, most=2)) <= 2
