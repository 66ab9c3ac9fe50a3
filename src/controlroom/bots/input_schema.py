"""The JSON Schemas by which packages declare inputs and outputs: the short form, and what a schema may hold.

Schemas are Draft 2020-12 without what could reach out, never end or be matched only in exponential time: no reference
out of the document, no dynamic references, no cycles that stay at one value, patterns that RE2 can match.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from controlroom.bots.errors import shown
from controlroom.bots.file_format import FILE_FORMAT, LIMIT_KEYWORD
from controlroom.bots.manifest import JsonSchema
from controlroom.bots.patterns import PatternRefused, compiled

DIALECT = "https://json-schema.org/draft/2020-12/schema"
LARGEST_SCHEMA_BYTES = 64 * 1024
_DEEPEST = 32

_TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")
_SINGLE = ("additionalProperties", "items", "contains", "propertyNames", "not", "if", "then", "else")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_SAME_PLACE_SINGLE = ("not", "if", "then", "else")
_SAME_PLACE_LISTS = ("allOf", "anyOf", "oneOf")
_REFUSED = (
    "$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$vocabulary",
    "unevaluatedProperties", "unevaluatedItems",
)  # fmt: skip
_PLAIN = (
    "$schema", "$ref", "$comment", "type", "enum", "const", "title", "description", "default", "examples",
    "deprecated", "readOnly", "writeOnly", "format", "contentEncoding", "contentMediaType", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "minItems", "maxItems",
    "uniqueItems", "minContains", "maxContains", "minProperties", "maxProperties", "required", "dependentRequired",
)  # fmt: skip
KEYWORDS = (*_PLAIN, *_SINGLE, *_LISTS, *_MAPS)


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """What is wrong and where: ``path`` leads from the schema's root, such as ``properties.amount.pattern``."""

    path: str
    message: str


def expand(declared: Mapping[str, Any]) -> JsonSchema:
    """Return the schema that a declaration stands for: itself, or the short form written out.

    In the short form each key is an input: ``amount = "number"`` or ``amount = {type = "number", default = 1}``. An
    input without a default is required unless it says ``required = false``. ``"file"`` is a file that is uploaded.
    """
    if declared.get("type") == "object" or isinstance(declared.get("$schema"), str) or "$ref" in declared:
        return {"type": "object", **declared}
    properties: dict[str, Any] = {}
    required: list[str] = []
    for name, value in declared.items():
        schema = {"type": value} if isinstance(value, str) else value
        if isinstance(schema, dict) and not isinstance(schema.get("required"), list):
            must = schema.get("required", "default" not in schema)
            schema = _file_written_out({key: item for key, item in schema.items() if key != "required"})
            if must:
                required.append(name)
        properties[name] = schema
    expanded: JsonSchema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**expanded, "required": required} if required else expanded


def _file_written_out(schema: dict[str, Any]) -> dict[str, Any]:
    return (
        {**schema, "type": "string", "format": FILE_FORMAT} if schema.get("type") == FILE_FORMAT else schema
    )


def first_problem(schema: JsonSchema) -> SchemaProblem | None:
    """Return the first thing for which a schema cannot be taken, None where it can."""
    if len(msgspec.json.encode(schema)) > LARGEST_SCHEMA_BYTES:
        return SchemaProblem("", f"is larger than {LARGEST_SCHEMA_BYTES // 1024} KiB")
    if schema.get("type") != "object":
        return SchemaProblem("type", 'must be "object": inputs and outputs have names')
    if schema.get("$schema", DIALECT).rstrip("#") != DIALECT:
        return SchemaProblem("$schema", f"must be {DIALECT}")
    try:
        problem = next(_problems(schema, schema, "", 0), None)
        return problem or _against_metaschema(schema) or _endless(schema)
    except RecursionError:
        return SchemaProblem("", "is a chain of references that is too long to follow")


def _problems(schema: Any, root: JsonSchema, path: str, depth: int) -> Iterator[SchemaProblem]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        yield SchemaProblem(path, 'must be a schema: a type\'s name, or a table such as {type = "string"}')
        return
    if depth > _DEEPEST:
        yield SchemaProblem(path, f"nests deeper than {_DEEPEST} levels")
        return
    yield from _keyword_problems(schema, root, path)
    for key, inner in _subschemas(schema):
        yield from _problems(inner, root, _join(path, key), depth + 1)


def _keyword_problems(schema: dict[str, Any], root: JsonSchema, path: str) -> Iterator[SchemaProblem]:
    for key, value in schema.items():
        if key in _REFUSED:
            yield SchemaProblem(_join(path, key), "is not taken here; write the schema without it")
        elif key not in KEYWORDS and not key.startswith("x-") and ":" not in key:
            near = difflib.get_close_matches(key, KEYWORDS, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else "; a key of your own begins with 'x-'"
            yield SchemaProblem(_join(path, shown(key)), f"is no keyword of JSON Schema{hint}")
        elif key == "type" and isinstance(value, str) and value not in _TYPES:
            near = difflib.get_close_matches(value, _TYPES, n=1) or [_ALIASES.get(value, "")]
            hint = f"; did you mean '{near[0]}'?" if near[0] else ""
            yield SchemaProblem(
                _join(path, key), f"must be one of {', '.join(_TYPES)}, not '{shown(value)}'{hint}"
            )
        elif key == "$ref" and _resolved(root, value) is None:
            yield SchemaProblem(
                _join(path, key),
                "must point to a place in this schema that is there, such as '#/$defs/address'",
            )
    yield from _file_problems(schema, path)
    patterns = [(_join(path, "pattern"), schema["pattern"])] if "pattern" in schema else []
    named = schema.get("patternProperties")
    if isinstance(named, dict):
        patterns += [(_join(path, f"patternProperties.{shown(name)}"), name) for name in named]
    for where, pattern in patterns:
        try:
            compiled(str(pattern))
        except PatternRefused as error:
            yield SchemaProblem(where, str(error))


def _file_problems(schema: dict[str, Any], path: str) -> Iterator[SchemaProblem]:
    if schema.get("format") != FILE_FORMAT:
        return
    kinds = schema.get("type")
    if "string" not in ([kinds] if isinstance(kinds, str) else kinds or ()):
        yield SchemaProblem(_join(path, "type"), 'must be "string" for a file, whose value is its id')
    limit = schema.get(LIMIT_KEYWORD, 1)
    if isinstance(limit, bool) or not isinstance(limit, int | float) or limit <= 0:
        yield SchemaProblem(_join(path, LIMIT_KEYWORD), "must be a number of megabytes, more than 0")


_ALIASES = {"str": "string", "text": "string", "int": "integer", "float": "number", "bool": "boolean",
            "list": "array", "dict": "object", "table": "object", "date": "string"}  # fmt: skip


def _subschemas(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in _SINGLE:
        if key in schema:
            yield key, schema[key]
    for key in _LISTS:
        if isinstance(schema.get(key), list):
            yield from ((f"{key}.{index}", inner) for index, inner in enumerate(schema[key]))
    for key in _MAPS:
        if isinstance(schema.get(key), dict):
            yield from ((f"{key}.{name}", inner) for name, inner in schema[key].items())


def _resolved(root: JsonSchema, reference: object) -> Any:
    """Return what a local reference points to (RFC 6901 in a fragment), None where it points to nothing."""
    if not isinstance(reference, str) or not reference.startswith("#") or "%" in reference:
        return None
    place: Any = root
    for part in reference[1:].split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(place, dict) and name in place:
            place = place[name]
        elif isinstance(place, list) and name.isascii() and name.isdigit() and int(name) < len(place):
            place = place[int(name)]
        else:
            return None
    well_formed = reference == "#" or reference.startswith("#/")
    return place if well_formed and isinstance(place, dict | bool) else None


def _against_metaschema(schema: JsonSchema) -> SchemaProblem | None:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return SchemaProblem(".".join(str(part) for part in error.absolute_path), f"{shown(error.message)}")
    return None


def _endless(root: JsonSchema) -> SchemaProblem | None:
    """Find a reference that comes back to itself without going into the value: checking it would never end."""
    done: set[int] = set()
    on_path: set[int] = set()

    def visit(schema: Any, path: str) -> SchemaProblem | None:
        if not isinstance(schema, dict) or id(schema) in done:
            return None
        if id(schema) in on_path:
            return SchemaProblem(path, "comes back to itself, so that checking it would never end")
        on_path.add(id(schema))
        for key, inner in _same_place(schema, root):
            if problem := visit(inner, _join(path, key)):
                return problem
        on_path.discard(id(schema))
        done.add(id(schema))
        return None

    def everywhere(schema: Any, path: str) -> SchemaProblem | None:
        if not isinstance(schema, dict):
            return None
        inner_problems = (everywhere(inner, _join(path, key)) for key, inner in _subschemas(schema))
        return visit(schema, path) or next((problem for problem in inner_problems if problem), None)

    return everywhere(root, "")


def _same_place(schema: dict[str, Any], root: JsonSchema) -> Iterator[tuple[str, Any]]:
    if "$ref" in schema:
        yield "$ref", _resolved(root, schema["$ref"])
    for key in _SAME_PLACE_SINGLE:
        if key in schema:
            yield key, schema[key]
    for key in _SAME_PLACE_LISTS:
        yield from ((f"{key}.{index}", inner) for index, inner in enumerate(schema.get(key, ())))
    yield from (
        (f"dependentSchemas.{name}", inner) for name, inner in schema.get("dependentSchemas", {}).items()
    )


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
