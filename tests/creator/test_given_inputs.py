"""Inputs as an author types them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.creator.given_inputs import inputs_from_pairs, inputs_from_text
from controlroom.foundation.errors import Invalid

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "code": {"type": "string"},
        "amount": {"type": "number"},
        "note": {"type": ["string", "null"]},
        "flag": True,
    },
}


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("code=00123", "00123"),
        ("code=", ""),
        ("code=a=b", "a=b"),
        ("note=null", "null"),
        ("amount=1.50", 1.5),
        ("amount=much", "much"),
        ("flag=true", True),
        ("other=[1, 2]", [1, 2]),
        ("other=plain text", "plain text"),
    ],
)
def test_text_stays_text_and_the_rest_is_what_it_looks_like(pair: str, value: Any) -> None:
    name = pair.partition("=")[0]
    assert inputs_from_pairs([pair], SCHEMA) == {name: value}


@pytest.mark.parametrize("pairs", [["amount"], ["=5"], ["a=1", "a=2"]])
def test_what_is_no_pair_is_refused(pairs: list[str]) -> None:
    with pytest.raises(Invalid):
        inputs_from_pairs(pairs, {})


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()))
def test_document_gives_what_is_in_it(values: dict[str, Any]) -> None:
    assert inputs_from_text(json.dumps(values), "inputs.json") == values


@pytest.mark.parametrize("text", ["", "[1]", "{", '"text"', "[" * 100_000])
def test_document_that_is_no_object_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(Invalid, match=r"inputs\.json"):
        inputs_from_text(text, "inputs.json")


@given(st.text(), st.recursive(st.none() | st.booleans() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)))  # fmt: skip
def test_odd_schemas_break_nothing(value: str, schema: Any) -> None:
    found = inputs_from_pairs([f"name={value}"], {"properties": {"name": schema}})
    assert list(found) == ["name"]


def test_a_list_of_files_is_given_by_its_name_several_times() -> None:
    file = {"type": "string", "format": "file"}
    schema = {
        "type": "object",
        "properties": {"more": {"type": "array", "items": {"$ref": "#/$defs/file"}}, "one": file},
        "$defs": {"file": file},
    }
    assert inputs_from_pairs(["more=@a.pdf", "one=123", "more=@b.pdf"], schema) == {
        "more": ["@a.pdf", "@b.pdf"],
        "one": "123",
    }
    assert inputs_from_pairs(['more=["@a.pdf"]'], schema) == {"more": ["@a.pdf"]}
