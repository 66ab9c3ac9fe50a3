"""Files in schemas and among inputs."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.bots.file_inputs import (
    MEGABYTE,
    file_places,
    media_type_of,
    names_files,
    replaced,
)
from controlroom.bots.input_schema import expand, first_problem
from controlroom.bots.inputs import InputsInvalid, check_inputs, default_problems

FILE = {"type": "string", "format": "file"}
ONE, TWO = "fil_01m88k8dsf23fwzxnbjgwc26tf", "fil_01m88k8dsf23fwzxnbjgwc26tg"


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def test_the_short_form_of_a_file_is_written_out() -> None:
    assert expand({"invoice": "file", "more": {"type": "file", "x-max-mb": 2, "required": False}}) == {
        "type": "object",
        "properties": {"invoice": FILE, "more": {**FILE, "x-max-mb": 2}},
        "additionalProperties": False,
        "required": ["invoice"],
    }


@pytest.mark.parametrize(
    ("one", "path"),
    [
        ({"type": "integer", "format": "file"}, "properties.a.type"),
        ({"format": "file"}, "properties.a.type"),
        ({**FILE, "x-max-mb": 0}, "properties.a.x-max-mb"),
        ({**FILE, "x-max-mb": "2"}, "properties.a.x-max-mb"),
        ({**FILE, "x-max-mb": True}, "properties.a.x-max-mb"),
    ],
)
def test_a_file_that_cannot_be_one_is_refused_at_its_place(one: Any, path: str) -> None:
    problem = first_problem(schema(a=one))
    assert problem is not None
    assert problem.path == path


def test_a_sound_file_is_taken() -> None:
    one = {**FILE, "type": ["string", "null"], "contentMediaType": "image/*", "x-max-mb": 0.5}
    assert first_problem(schema(a=one)) is None


def test_a_default_for_a_file_is_told() -> None:
    assert [each.pointer for each in default_problems(schema(a={**FILE, "default": "x.pdf"}))] == ["/a"]


@pytest.mark.parametrize(
    "value", ["", "x.pdf", "/etc/passwd", "fil_", "run_" + ONE[4:], ONE.upper(), ONE + "\n"]
)
def test_only_an_id_is_a_file(value: str) -> None:
    with pytest.raises(InputsInvalid) as refused:
        check_inputs(schema(a=FILE), {"a": value})
    assert refused.value.fields[0].pointer == "/inputs/a"
    assert check_inputs(schema(a=FILE), {"a": ONE}) == {"a": ONE}


def test_files_are_found_wherever_a_schema_can_put_them() -> None:
    whole = {
        **schema(
            plain=FILE,
            many={"type": "array", "items": {"$ref": "#/$defs/file"}},
            nested=schema(**{"a/b~": FILE}),
            either={"anyOf": [{"type": "integer"}, FILE]},
            text={"type": "string"},
            pair={"type": "array", "prefixItems": [{"type": "string"}, FILE]},
        ),
        "$defs": {"file": FILE},
        "patternProperties": {"^x_": FILE},
        "additionalProperties": FILE,
        "allOf": [{"if": schema(text={"const": ONE}), "then": schema(late=FILE)}],
    }
    inputs = {
        "plain": ONE, "many": [ONE, TWO], "nested": {"a/b~": TWO}, "either": ONE, "text": ONE, "pair": [ONE, TWO],
        "x_1": ONE, "other": TWO, "late": ONE,
    }  # fmt: skip
    assert first_problem(whole) is None
    assert [place.pointer for place in file_places(whole, inputs)] == [
        "/late", "/plain", "/many/0", "/many/1", "/nested/a~1b~0", "/either", "/pair/1", "/x_1", "/other",
    ]  # fmt: skip


def test_a_text_that_looks_like_an_id_is_no_file_where_none_is_wanted() -> None:
    assert file_places(schema(note={"type": "string"}), {"note": ONE}) == []


def test_what_a_place_asks_of_a_file() -> None:
    one = {**FILE, "contentMediaType": "application/pdf", "x-max-mb": 1}
    (place,) = file_places(schema(a=one), {"a": ONE})
    assert place.problem("application/pdf", MEGABYTE) == ""
    assert "at most 1 MB" in place.problem("application/pdf", MEGABYTE + 1)
    assert "application/pdf" in place.problem("text/plain", 1)
    (picture,) = file_places(schema(a={**FILE, "contentMediaType": "image/*"}), {"a": ONE})
    assert picture.problem("image/png", 1) == ""
    assert picture.problem("application/pdf", 1)


def test_a_schema_that_would_be_walked_for_ever_is_given_up() -> None:
    layers = {f"l{number}": {"allOf": [{"$ref": f"#/$defs/l{number + 1}"}] * 2} for number in range(30)}
    whole = {**schema(a={"$ref": "#/$defs/l0"}), "$defs": {**layers, "l30": FILE}}
    with pytest.raises(InputsInvalid):
        file_places(whole, {"a": ONE})


@pytest.mark.parametrize(
    ("name", "announced", "wanted"),
    [
        ("a.PDF", "text/plain", "application/pdf"),
        ("a.csv", "application/vnd.ms-excel", "text/csv"),
        ("a.xlsx", "", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("a", "Text/Plain; charset=utf-8", "text/plain"),
        ("a.unheardof", "", "application/octet-stream"),
    ],
)
def test_a_files_type_goes_by_its_name_first(name: str, announced: str, wanted: str) -> None:
    assert media_type_of(name, announced) == wanted


JSON = st.recursive(
    st.none() | st.integers() | st.sampled_from([ONE, TWO, "text"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b/c", "~"]), inner, max_size=3)
    ),
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b/c", "~"]), JSON, max_size=3))
def test_every_id_is_found_and_replaced_and_nothing_else(inputs: dict[str, Any]) -> None:
    anywhere: dict[str, Any] = {"$ref": "#/$defs/any"}
    inside = {"type": "object", "additionalProperties": anywhere}
    whole = {
        **inside,
        "$defs": {
            "any": {
                "anyOf": [FILE, {"type": "array", "items": anywhere}, inside, {"type": ["null", "integer"]}]
            }
        },
    }
    places = file_places(whole, inputs)
    assert bool(places) is names_files(inputs)
    paths = {place.path: "path" for place in places}
    after = replaced(inputs, paths)
    assert not names_files(after)
    assert replaced(after, {place.path: place.value for place in places}) == inputs
