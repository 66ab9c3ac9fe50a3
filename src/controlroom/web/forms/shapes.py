"""The shape that a schema has for given values: what its conditions and its choice between forms come to.

``allOf``, ``if``/``then``/``else``, ``dependentRequired`` and ``dependentSchemas`` are followed as the values have it;
of ``oneOf`` or ``anyOf`` one form is chosen. What is left are plain properties, which a form can show. A shape only
says what is asked for: whether the values fit is checked against the schema itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controlroom.bots.inputs import fits

JsonSchema = Mapping[str, Any]

_LONGEST_REFERENCES = 32
_DEEPEST = 16
_FOLLOWED = frozenset(
    {"allOf", "oneOf", "anyOf", "if", "then", "else", "dependentRequired", "dependentSchemas", "$ref", "not"}
)
_TYPE_WORDS = {"string": "Text", "number": "Number", "integer": "Whole number", "boolean": "Yes or no",
               "array": "List", "object": "Several values", "null": "None"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """``schema`` is without conditions. ``variants`` are the titles of the forms to choose from, ``chosen`` is one's place.

    ``fixed`` names properties whose value follows from the choice; ``steering`` those on which the shape depends;
    ``nullable`` says that nothing may stand in its place.
    """

    schema: Mapping[str, Any]
    variants: tuple[str, ...] = ()
    chosen: int = 0
    fixed: frozenset[str] = frozenset()
    steering: frozenset[str] = frozenset()
    nullable: bool = False


def shape_of(schema: Any, value: Any, root: JsonSchema, chosen: int | None = None) -> Shape:
    """Return the shape of a schema for a value; ``chosen`` is the form that was picked, else the first that fits."""
    plain = resolved(schema, root)
    whole, steering = _followed(plain, value, root, 0)
    branches, nullable = _branches(plain, root)
    if not branches:
        return Shape(whole, steering=steering, nullable=nullable)
    if len(branches) == 1:
        inner, more = _followed(branches[0], value, root, 1)
        return Shape(merged(whole, inner), steering=steering | more, nullable=nullable)
    place = _picked(branches, value, root) if chosen is None else min(max(chosen, 0), len(branches) - 1)
    inner, more = _followed(branches[place], value, root, 1)
    titles = tuple(_title(branch, number, root) for number, branch in enumerate(branches, 1))
    fixed = frozenset(
        name for name, each in _properties(inner).items() if "const" in resolved(each, root)
    )  # fmt: skip
    return Shape(merged(whole, inner), titles, place, fixed, steering | more, nullable)


def resolved(schema: Any, root: JsonSchema) -> Mapping[str, Any]:
    """Return a schema behind its references into the document; a schema of ``true`` is empty."""
    for _ in range(_LONGEST_REFERENCES):
        if not isinstance(schema, Mapping):
            return {}
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema
        place: Any = root
        for part in reference.removeprefix("#").split("/")[1:]:
            place = (
                place.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(place, Mapping) else None
            )
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**place, **beside} if isinstance(place, Mapping) else {}
    return {}


def has_conditions(schema: Mapping[str, Any]) -> bool:
    """Say whether what a schema asks for depends on values or on a choice."""
    return not _FOLLOWED.isdisjoint(schema)


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return what two schemas ask for together; where both word it, the first one's title and help stay."""
    found = {**one, **other}
    for name in ("title", "description"):
        if name in one:
            found[name] = one[name]
    ours, theirs = _properties(one), _properties(other)
    if ours or theirs:
        found["properties"] = {
            name: merged(ours[name], theirs[name])
            if isinstance(ours.get(name), Mapping) and isinstance(theirs.get(name), Mapping)
            else theirs[name]
            if theirs.get(name, True) is not True or name not in ours
            else ours[name]
            for name in dict.fromkeys([*ours, *theirs])
        }
    required = dict.fromkeys([*one.get("required", ()), *other.get("required", ())])
    return {**found, "required": list(required)} if required else found


def _followed(
    plain: Mapping[str, Any], value: Any, root: JsonSchema, depth: int
) -> tuple[dict[str, Any], frozenset[str]]:
    """Return a schema with its conditions as the value has them, and the names they look at."""
    found: dict[str, Any] = {key: item for key, item in plain.items() if key not in _FOLLOWED}
    steering: set[str] = set()
    given = value if isinstance(value, Mapping) else {}
    for branch in _holding(plain, given, root) if depth < _DEEPEST else ():
        inner, more = _followed(resolved(branch, root), value, root, depth + 1)
        found = merged(found, inner)
        steering |= more
    if "if" in plain:
        steering |= set(_names(plain["if"]))
    steering |= {*plain.get("dependentRequired", {}), *plain.get("dependentSchemas", {})}
    return found, frozenset(steering)


def _holding(plain: Mapping[str, Any], given: Mapping[str, Any], root: JsonSchema) -> Iterator[Any]:
    """Give the schemas that hold besides the plain one."""
    yield from plain.get("allOf", ())
    if "if" in plain:
        yield plain.get("then" if fits(root, plain["if"], given) else "else", {})
    yield from (inner for name, inner in plain.get("dependentSchemas", {}).items() if name in given)
    for name, needed in plain.get("dependentRequired", {}).items():
        if name in given:
            yield {"required": list(needed)}


def _branches(plain: Mapping[str, Any], root: JsonSchema) -> tuple[list[Mapping[str, Any]], bool]:
    """Return the forms to choose from, without that of nothing at all, and whether there was that one."""
    listed = plain.get("oneOf") or plain.get("anyOf") or ()
    branches = [resolved(branch, root) for branch in listed]
    filled = [branch for branch in branches if branch.get("type") != "null"]
    return filled, len(filled) < len(branches)


def _picked(branches: list[Mapping[str, Any]], value: Any, root: JsonSchema) -> int:
    if value is None or value == {}:
        return 0
    return next((place for place, branch in enumerate(branches) if fits(root, branch, value)), 0)


def _title(branch: Mapping[str, Any], number: int, root: JsonSchema) -> str:
    if branch.get("title"):
        return str(branch["title"])
    if "const" in branch:
        return str(branch["const"])
    consts = [resolved(each, root).get("const") for each in _properties(branch).values()]
    told = [str(const) for const in consts if const is not None]
    if told:
        return ", ".join(told)
    if branch.get("required") and not branch.get("properties"):
        return f"With {', '.join(str(name) for name in branch['required'])}"
    kind = branch.get("type")
    return _TYPE_WORDS.get(kind, f"Form {number}") if isinstance(kind, str) else f"Form {number}"


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema.get("properties")
    return found if isinstance(found, Mapping) else {}


def _names(condition: Any) -> Iterator[str]:
    """Give the names of the values that a condition looks at."""
    if not isinstance(condition, Mapping):
        return
    yield from (str(name) for name in condition.get("required", ()) if isinstance(name, str))
    yield from (str(name) for name in _properties(condition))
    for key in ("allOf", "anyOf", "oneOf"):
        for inner in condition.get(key, ()):
            yield from _names(inner)
    yield from _names(condition.get("not"))
