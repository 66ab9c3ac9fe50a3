import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.bots.patterns import PatternRefused, compiled, found_in


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"^\u00e4$", "ä", True),
        (r"^\\u00e4$", r"\u00e4", True),
        (r"\u{1f600}", "😀", True),
        (r"^\d+$", "１２", False),
        (r"a.c", "xxabcxx", True),
        (r"^[A-Z]{2}\d{2}$", "DE89", True),
        (r"\p{L}+", "Ü", True),
    ],
)
def test_patterns_mean_what_ecma_says(pattern: str, text: str, found: bool) -> None:
    assert found_in(pattern, text) is found


@pytest.mark.parametrize(
    "pattern", ["(", "(?=a)", r"(a)\1", "a{5000}", "((a{100}){100}){100}", "[z-a]", "x" * 501]
)
def test_a_pattern_that_cannot_be_matched_in_linear_time_is_refused(pattern: str) -> None:
    with pytest.raises(PatternRefused):
        compiled(pattern)


@given(
    st.lists(st.sampled_from(["a", "b", ".", "*", "+", "?", "|", "(", ")", "[ab]", "^", "$"]), max_size=8),
    st.text("ab", max_size=8),
)
def test_simple_patterns_match_as_pythons_do(parts: list[str], text: str) -> None:
    pattern = "".join(parts)
    try:
        mine = found_in(pattern, text)
        theirs = re.search(pattern, text) is not None
    except (PatternRefused, re.error):
        return
    assert mine is theirs
