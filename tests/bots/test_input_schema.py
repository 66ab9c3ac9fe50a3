import pytest

from controlroom.bots.input_schema import expand, first_problem
from controlroom.bots.manifest import JsonSchema


def chain(length: int) -> JsonSchema:
    definitions = {f"a{n}": {"$ref": f"#/$defs/a{n + 1}"} for n in range(length)}
    return {"type": "object", "$ref": "#/$defs/a0", "$defs": {**definitions, f"a{length}": {}}}


def nested(depth: int) -> JsonSchema:
    schema: JsonSchema = {"type": "object"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"x": schema}}
    return schema


@pytest.mark.parametrize(
    ("schema", "path", "said"),
    [
        ({"type": "array"}, "type", "object"),
        ({}, "type", "object"),
        ({"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"}, "$schema", "2020-12"),
        ({"type": "object", "$id": "https://x"}, "$id", "not taken"),
        ({"type": "object", "unevaluatedProperties": False}, "unevaluatedProperties", "not taken"),
        ({"type": "object", "$dynamicRef": "#x"}, "$dynamicRef", "not taken"),
        ({"type": "object", "properties": {"a": {"minimun": 1}}}, "properties.a.minimun", "'minimum'"),
        ({"type": "object", "properties": {"a": 5}}, "properties.a", "must be a schema"),
        ({"type": "object", "properties": []}, "properties", "not of type"),
        ({"type": "object", "allOf": []}, "allOf", "non-empty"),
        ({"type": "object", "required": "a"}, "required", "not of type"),
        ({"type": "object", "$ref": "file:///etc/passwd"}, "$ref", "this schema"),
        ({"type": "object", "$ref": "#/nothing"}, "$ref", "this schema"),
        ({"type": "object", "$ref": "#/type"}, "$ref", "this schema"),
        ({"type": "object", "$ref": "#anchor"}, "$ref", "this schema"),
        ({"type": "object", "$ref": "#"}, "$ref", "never end"),
        ({"type": "object", "anyOf": [{"allOf": [{"$ref": "#"}]}]}, "anyOf.0.allOf.0.$ref", "never end"),
        ({"type": "object", "patternProperties": {"(?<=a)b": {}}}, "patternProperties.(?<=a)b", "pattern"),
        ({"type": "object", "properties": {"a": {"pattern": "x" * 501}}}, "properties.a.pattern", "longer"),
        ({"type": "object", "description": "x" * 70_000}, "", "larger than 64 KiB"),
        (nested(40), "properties" + ".x.properties" * 32 + ".x", "deeper than"),
    ],
)
def test_a_schema_that_cannot_be_taken_says_where_and_why(schema: JsonSchema, path: str, said: str) -> None:
    problem = first_problem(schema)
    assert problem is not None
    assert problem.path == path
    assert said in problem.message


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "$schema": "https://json-schema.org/draft/2020-12/schema"},
        {
            "type": "object",
            "properties": {"$ref": {"type": "string"}, "unevaluatedItems": {"type": "string"}},
        },
        {"type": "object", "x-order": ["a"], "ui:widget": "wide", "properties": {"a": True}},
        {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}},
        {
            "type": "object",
            "$defs": {"a/b": {"type": "string"}},
            "properties": {"a": {"$ref": "#/$defs/a~1b"}},
        },
        nested(15),
        chain(50),
    ],
)
def test_a_sound_schema_is_taken(schema: JsonSchema) -> None:
    assert first_problem(schema) is None


def test_a_chain_of_thousands_of_references_ends_in_an_answer() -> None:
    first_problem(chain(1500))


def test_required_may_be_said_in_the_short_form_or_left_to_the_default() -> None:
    schema = expand({"a": "string", "b": {"type": "string", "required": False}, "c": {"default": 1}})
    assert schema["required"] == ["a"]
    assert all("required" not in inner for inner in schema["properties"].values())


def test_an_input_that_is_an_object_keeps_its_own_required_list() -> None:
    inner = {"type": "object", "required": ["x"], "properties": {"x": {"type": "string"}}}
    assert expand({"a": inner})["properties"]["a"] == inner
