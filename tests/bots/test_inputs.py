import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from controlroom.bots.input_schema import expand, first_problem
from controlroom.bots.inputs import InputsInvalid, check_inputs, default_problems
from controlroom.bots.manifest import JsonSchema

ORDER = expand(
    {
        "customer": {"type": "string", "minLength": 1},
        "amount": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000},
        "count": {"type": "integer", "default": 2, "multipleOf": 2, "required": False},
        "currency": {"enum": ["EUR", "CHF"], "default": "EUR"},
        "due": {"type": "string", "format": "date", "required": False},
        "lines": {
            "type": "array",
            "maxItems": 3,
            "uniqueItems": True,
            "default": [],
            "items": {
                "type": "object",
                "properties": {"sku": {"type": "string", "pattern": "^[A-Z]{3}-\\d+$"}},
            },
        },
        "mail": {"type": "string", "format": "email", "required": False},
        "either": {"anyOf": [{"type": "string"}, {"type": "integer"}], "default": 1},
    }
)
GOOD = {"customer": "Müller", "amount": 5}


def errors(schema: JsonSchema, inputs: object) -> dict[str, str]:
    with pytest.raises(InputsInvalid) as refused:
        check_inputs(schema, inputs)
    return {field.pointer: field.message for field in refused.value.fields}


def test_defaults_are_filled_in_and_nothing_else_changes() -> None:
    with_default = expand({"n": {"type": "integer", "default": 3}, "o": {"default": {}, "type": "object",
                           "properties": {"deep": {"default": "x"}}}, "free": {"required": False}})  # fmt: skip
    assert check_inputs(with_default, {"free": [1]}) == {"n": 3, "o": {"deep": "x"}, "free": [1]}


def test_a_default_is_never_shared_between_runs() -> None:
    schema = expand({"tags": {"type": "array", "default": ["a"]}})
    check_inputs(schema, {})["tags"].append("b")
    assert check_inputs(schema, {}) == {"tags": ["a"]}


def test_defaults_behind_a_reference_and_in_lists_are_filled_in() -> None:
    schema: JsonSchema = {
        "type": "object",
        "$defs": {"line": {"type": "object", "properties": {"count": {"default": 1}}}},
        "properties": {
            "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
            "one": {"$ref": "#/$defs/line"},
        },
    }
    assert check_inputs(schema, {"lines": [{}, {"count": 2}], "one": {}}) == {
        "lines": [{"count": 1}, {"count": 2}],
        "one": {"count": 1},
    }


@pytest.mark.parametrize(
    ("change", "pointer", "message"),
    [
        ({"amount": "5"}, "/inputs/amount", "must be a number"),
        ({"amount": True}, "/inputs/amount", "must be a number"),
        ({"amount": 0}, "/inputs/amount", "must be more than 0"),
        ({"amount": 1001}, "/inputs/amount", "must be at most 1000"),
        ({"count": 1.5}, "/inputs/count", "must be a whole number"),
        ({"count": 3}, "/inputs/count", "must be a multiple of 2"),
        ({"customer": ""}, "/inputs/customer", "must not be empty"),
        ({"customer": None}, "/inputs/customer", "must be text"),
        ({"currency": "USD"}, "/inputs/currency", "must be one of EUR, CHF"),
        ({"due": "31.1.2026"}, "/inputs/due", "must be a date such as 2026-01-31"),
        ({"mail": "nobody"}, "/inputs/mail", "must be a mail address"),
        ({"mail": "a@" + "b" * 5000}, "/inputs/mail", "must be a mail address"),
        ({"lines": [{"sku": "x"}]}, "/inputs/lines/0/sku", "must match the pattern ^[A-Z]{3}-\\d+$"),
        ({"lines": [{}, {}]}, "/inputs/lines/1", "is in the list twice"),
        ({"lines": [1, 2, 3, 4]}, "/inputs/lines", "must have at most 3 items"),
        ({"either": None}, "/inputs/either", "must be text or a whole number"),
        ({"amuont": 1}, "/inputs/amuont", "is not known; did you mean 'amount'?"),
        ({"a/b~c": 1}, "/inputs/a~1b~0c", "is not known to this bot"),
    ],
)
def test_what_does_not_fit_is_said_at_its_field(change: dict[str, Any], pointer: str, message: str) -> None:
    assert errors(ORDER, {**GOOD, **change})[pointer] == message


def test_every_missing_input_is_named_at_its_own_field() -> None:
    assert errors(ORDER, {}) == {"/inputs/customer": "is required", "/inputs/amount": "is required"}


@pytest.mark.parametrize("inputs", [None, [], "x", 5])
def test_inputs_that_are_no_object_are_refused(inputs: object) -> None:
    assert errors(ORDER, inputs) == {"/inputs": "must be an object of names and values"}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (math.nan, "finite"),
        (math.inf, "finite"),
        (2**63, "64 bits"),
        ("a\0b", "NUL"),
        ("\ud800", "half a character"),
        (b"x", "not a JSON value"),
        ({1: 2}, "not text"),
        ({"\0": 2}, "not text"),
    ],
)
def test_what_no_database_could_hold_is_refused_even_where_anything_is_taken(
    value: object, said: str
) -> None:
    assert said in errors({}, {"x": [value]})["/inputs/x/0"]


def test_size_and_depth_are_bounded() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    assert "deeper" in next(iter(errors({}, {"x": deep}).values()))
    assert "larger than 256 KiB" in errors({}, {"x": "y" * 300_000})["/inputs"]


def test_an_empty_schema_takes_anything() -> None:
    assert check_inputs({}, {"any": [1, {"x": None}]}) == {"any": [1, {"x": None}]}


def doubling(levels: int) -> JsonSchema:
    definitions: dict[str, Any] = {
        f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(levels)
    }
    return {"type": "object", "allOf": [{"$ref": "#/$defs/a0"}], "$defs": {**definitions, f"a{levels}": {}}}


BRANCHING: JsonSchema = {
    "type": "object",
    "$defs": {"n": {"properties": {"c": {"allOf": [{"$ref": "#/$defs/n"}] * 3}}}},
    "$ref": "#/$defs/n",
}


def nest(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"c": value}
    return value


@pytest.mark.timeout(30)  # without a bound these take years
@pytest.mark.parametrize(
    ("schema", "inputs"),
    [
        (doubling(40), {}),
        (BRANCHING, nest(30)),
        (expand({"x": {"type": "string", "pattern": "^(a+)+$"}}), {"x": "a" * 200_000 + "b"}),
        (expand({"x": {"type": "string", "pattern": "(.*a){20}"}}), {"x": "a" * 5000 + "b"}),
        (expand({"x": {"type": "array", "uniqueItems": True}}), {"x": [[n] for n in range(30_000)]}),
        (
            {"type": "object", "patternProperties": {f"^{n}.*x": {} for n in range(300)}},
            {f"{n}": 1 for n in range(9000)},
        ),
        (expand({"x": {"enum": list(range(9000))}}), {"x": -1}),
        (expand({"x": {"type": "string", "format": "email"}}), {"x": "@" * 200_000}),
        (expand({"x": {"type": "string", "format": "uri"}}), {"x": "a:" * 1000}),
        (expand({"x": {"type": "string", "format": "date-time"}}), {"x": "2" * 2000}),
        (expand({"x": {"type": "number", "multipleOf": 1e-300}}), {"x": 1e300}),
    ],
)
def test_no_schema_and_no_inputs_make_a_check_hang(schema: JsonSchema, inputs: dict[str, Any]) -> None:
    assert first_problem(schema) is None
    with contextlib.suppress(InputsInvalid):
        check_inputs(schema, inputs)


def test_a_check_that_is_too_much_work_is_refused() -> None:
    assert "too much work" in errors(doubling(40), {})["/inputs"]


def test_a_default_that_does_not_fit_is_found() -> None:
    schema = expand({"a": {"type": "integer", "default": "x"}, "b": {"type": "string", "default": "fits"}})
    (problem,) = default_problems(schema)
    assert (problem.pointer, problem.message) == ("/a", "must be a whole number")


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-100, 100), st.floats(-9, 9), st.text("ab-1", max_size=4)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner)
)
SCHEMAS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "number", "integer", "boolean", "array", "object", "null"]),
        "enum": st.lists(SCALARS, min_size=1, max_size=3),
        "minimum": st.integers(-5, 5),
        "maxLength": st.integers(0, 3),
        "pattern": st.sampled_from(["^a", "b$", "a|b", "[ab]+", "^$"]),
        "uniqueItems": st.booleans(),
        "items": st.sampled_from([{"type": "string"}, {"minimum": 0}, True, False]),
        "additionalProperties": st.sampled_from([True, False, {"type": "null"}]),
        "patternProperties": st.sampled_from([{"^a": {"type": "string"}}, {}]),
        "required": st.lists(st.sampled_from(["a", "b"]), unique=True),
    },
)


@given(SCHEMAS, VALUES)
def test_the_bounded_check_says_what_the_library_says(inner: dict[str, Any], value: Any) -> None:
    schema = {"type": "object", "properties": {"x": inner}}
    wanted = Draft202012Validator(schema).is_valid({"x": value})
    try:
        assert check_inputs(schema, {"x": value}) == {"x": value}
        found = True
    except InputsInvalid as refused:
        json.dumps([field.message for field in refused.fields])
        found = False
    assert found is wanted


@pytest.mark.parametrize("text", ["P1D", "PT30M", "P1Y2M3DT4H5M6S", "P3W", "PT1H30M", "P2M", "PT5S"])
def test_durations_of_the_standard_are_taken(text: str) -> None:
    schema = expand({"pause": {"type": "string", "format": "duration"}})
    assert check_inputs(schema, {"pause": text}) == {"pause": text}


@pytest.mark.parametrize("text", ["", "P", "PT", "1D", "P1D2M", "PT1H5S", "P1W1D", "P١D", "P1D ", "-P1D"])
def test_other_texts_are_no_durations(text: str) -> None:
    schema = expand({"pause": {"type": "string", "format": "duration"}})
    assert "duration" in errors(schema, {"pause": text})["/inputs/pause"]
