"""A form made from a schema gives back the values that it was filled with, and loses nothing that was typed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.bots.inputs import check_inputs
from controlroom.web.forms.fields import Control, FormField, Typed, lay_out
from controlroom.web.forms.reading import COUNT_SUFFIX, read_values, typed_from, with_action

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["month", "region", "flag"],
    "properties": {
        "month": {"type": "string", "format": "date"},
        "region": {"enum": ["north", 3, "3", None, True]},
        "amount": {"type": ["number", "null"]},
        "count": {"type": "integer"},
        "flag": {"type": "boolean"},
        "note": {"type": "string", "maxLength": 5000},
        "tags": {"type": "array", "items": {"type": "string", "minLength": 1}},
        "tell": {"type": "array", "uniqueItems": True, "items": {"enum": ["mail", "chat", 1]}},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
        "free": {},
        "a/b~c": {"type": "string"},
    },
    "$defs": {
        "line": {
            "type": "object",
            "required": ["item", "urgent"],
            "properties": {
                "item": {"type": "string"},
                "pieces": {"type": "integer"},
                "urgent": {"type": "boolean"},
            },
        }
    },
}

_words = st.text(
    st.characters(categories=("L", "N", "P"), exclude_characters="\r\n"), min_size=1, max_size=12
)
_lines = st.lists(
    st.fixed_dictionaries(
        {"item": _words, "urgent": st.booleans()}, optional={"pieces": st.integers(-(10**9), 10**9)}
    ),
    min_size=1,
    max_size=4,
)
_values = st.fixed_dictionaries(
    {
        "month": st.dates().map(str),
        "region": st.sampled_from(["north", 3, "3", None, True]),
        "flag": st.booleans(),
    },
    optional={
        "amount": st.floats(allow_nan=False, allow_infinity=False, width=32),
        "count": st.integers(-(2**60), 2**60),
        "note": _words,
        "tags": st.lists(_words, min_size=1, max_size=4),
        "tell": st.lists(st.sampled_from(["mail", "chat", 1]), min_size=1, max_size=3, unique_by=repr),
        "lines": _lines,
        "free": st.one_of(
            st.integers(-9, 9), _words, st.lists(st.integers(-9, 9), min_size=1), st.just({"x": [1, None]})
        ),
        "a/b~c": _words,
    },
)


def _posted(field: FormField) -> list[tuple[str, str]]:
    """What a browser sends of a form as it stands."""
    if field.control in (Control.GROUP, Control.LIST):
        inside = [pair for child in field.children for pair in _posted(child)]
        return [
            *(
                [(field.pointer + COUNT_SUFFIX, str(len(field.children)))]
                if field.control is Control.LIST
                else []
            ),
            *inside,
        ]
    if field.control is Control.FLAG:
        return [(field.pointer, "true")] if field.value else []
    if field.control is Control.CHOICES:
        return [(field.pointer, option.value) for option in field.options if option.value in field.value]
    return [(field.pointer, field.value)]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and one == other


@given(_values)
def test_a_form_gives_back_what_it_was_filled_with(values: dict[str, Any]) -> None:
    form = lay_out(SCHEMA, values=values)
    read, problems = read_values(SCHEMA, typed_from(_posted(form)))
    if "tell" in values:
        values["tell"] = [choice for choice in ("mail", "chat", 1) if choice in values["tell"]]
    assert problems == {}
    assert _same(read, values)
    check_inputs(SCHEMA, read)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "/inputs/month",
                    "/inputs/tags#count",
                    "/inputs/tags/0",
                    "/inputs/lines#count",
                    "/inputs/lines/0/item",
                    "/inputs/free",
                    "/inputs/count",
                    "_action",
                    "x",
                ]
            ),
            st.text(max_size=20),
        ),
        max_size=20,
    )
)
def test_whatever_is_posted_is_read_without_a_crash_and_shown_again(pairs: list[tuple[str, str]]) -> None:
    typed = typed_from(pairs)
    read_values(SCHEMA, typed)
    form = lay_out(SCHEMA, typed=typed)
    month = next(child for child in form.children if child.pointer == "/inputs/month")
    assert month.value == (typed.texts.get("/inputs/month") or [""])[0]


def test_text_that_is_no_number_reaches_the_check_as_it_was_typed() -> None:
    read, _ = read_values(SCHEMA, typed_from([("/inputs/amount", "12 apples"), ("/inputs/count", "1 000")]))
    assert read == {"amount": "12 apples", "count": 1000, "flag": False}


def test_text_that_is_not_json_is_said_at_its_field_and_kept() -> None:
    typed = typed_from([("/inputs/free", "{oops")])
    _, problems = read_values(SCHEMA, typed)
    form = lay_out(SCHEMA, typed=typed, errors=problems)
    field = next(child for child in form.children if child.pointer == "/inputs/free")
    assert (field.value, "is not JSON" in field.error) == ("{oops", True)


def test_a_browser_s_moment_is_completed_to_utc() -> None:
    schema = {"type": "object", "properties": {"at": {"type": "string", "format": "date-time"}}}
    read, _ = read_values(schema, typed_from([("/inputs/at", "2026-01-31T08:00")]))
    assert check_inputs(schema, read) == {"at": "2026-01-31T08:00:00Z"}


def test_an_optional_group_left_blank_is_left_out() -> None:
    schema = {
        "type": "object",
        "properties": {
            "to": {
                "type": "object",
                "required": ["mail"],
                "properties": {"mail": {"type": "string"}, "copy": {"type": "boolean"}},
            }
        },
    }
    assert read_values(schema, typed_from([]))[0] == {}


def test_removing_an_item_moves_those_behind_it_up() -> None:
    typed = Typed({"/l/0": ["a"], "/l/1": ["b"], "/l/2/x": ["c"], "/lx/1": ["d"]}, {"/l": 3, "/l/2/deep": 1})
    after = with_action(typed, "remove:/l/1")
    assert after.texts == {"/l/0": ["a"], "/l/1/x": ["c"], "/lx/1": ["d"]}
    assert after.counts == {"/l": 2, "/l/1/deep": 1}


@pytest.mark.parametrize("action", ["add:/nowhere", "remove:/l/9", "remove:/l/x", "remove:", "else"])
def test_an_action_on_what_is_not_there_changes_nothing(action: str) -> None:
    typed = Typed({"/l/0": ["a"]}, {"/l": 1})
    assert with_action(typed, action) == typed


def test_a_schema_that_nests_for_ever_ends_as_json() -> None:
    schema = {
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/node"}},
        "$defs": {"node": {"type": "object", "properties": {"below": {"$ref": "#/$defs/node"}}}},
    }
    field = lay_out(schema)
    for _ in range(20):
        if field.control is Control.JSON:
            return
        field = field.children[0]
    pytest.fail("the form has no end")
