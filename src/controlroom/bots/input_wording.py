"""Says what a JSON Schema check found in words that a person who fills in a form understands."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jsonschema.exceptions import ValidationError

from controlroom.bots.errors import shown
from controlroom.foundation.errors import FieldError

_A_TYPE = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object of names and values",
    "null": "empty",
}
_A_FORMAT = {
    "date": "a date such as 2026-01-31",
    "date-time": "a moment such as 2026-01-31T08:00:00Z",
    "time": "a time such as 08:00:00Z",
    "duration": "a duration such as P1D or PT30M",
    "email": "a mail address",
    "uri": "an address such as https://example.com/",
    "uuid": "a UUID",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "hostname": "a host name",
    "file": "the id of an uploaded file",
}


def pointer_to(base: str, path: Iterable[str | int]) -> str:
    """Return a JSON pointer (RFC 6901) below another."""
    return base + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def field_errors(errors: Sequence[ValidationError], pointer: str) -> tuple[FieldError, ...]:
    """Return an error for each field, the first one where a field has several."""
    told: dict[str, str] = {}
    for error in errors:
        for where, message in _told(error, pointer):
            told.setdefault(where, message)
    return tuple(FieldError(where, message) for where, message in told.items())


def _told(error: ValidationError, pointer: str) -> list[tuple[str, str]]:
    here = pointer_to(pointer, error.absolute_path)
    keyword = str(error.validator)
    wanted: Any = error.validator_value
    if keyword == "required" and isinstance(error.instance, Mapping):
        missing = [name for name in wanted if name not in error.instance]
        return [(pointer_to(here, [name]), "is required") for name in missing]
    if keyword == "additionalProperties" and error.validator_value is False:
        return [(here, _unknown(error))]
    if keyword == "dependentRequired" and isinstance(error.instance, Mapping):
        return [
            (pointer_to(here, [name]), f"is required together with {shown(str(given))}")
            for given, names in wanted.items()
            for name in names
            if given in error.instance and name not in error.instance
        ]
    if keyword in ("anyOf", "oneOf") and (nearest := _nearest_branch(error)):
        return [told for inner in nearest for told in _told(inner, pointer)]
    words = _WORDS.get(keyword)
    return [(here, words(error.validator_value, error) if words else error.message)]


def _unknown(error: ValidationError) -> str:
    parent: Any = error.schema
    known = list(parent.get("properties", {})) if isinstance(parent, Mapping) else []
    near = difflib.get_close_matches(str(error.absolute_path[-1]), known, n=1)
    return f"is not known; did you mean '{near[0]}'?" if near else "is not known to this bot"


def _type(wanted: Any, _error: ValidationError) -> str:
    types = [wanted] if isinstance(wanted, str) else list(wanted)
    return f"must be {' or '.join(_A_TYPE.get(name, str(name)) for name in types)}"


def _one_of(choices: Any, _error: ValidationError) -> str:
    listed = ", ".join(_value(choice) for choice in choices[:12])
    return f"must be one of {listed}{', …' if len(choices) > 12 else ''}"


def _any_of(_branches: Any, error: ValidationError) -> str:
    branches = error.context or ()
    types = [
        str(branch.validator_value)
        for branch in branches
        if branch.validator == "type" and not branch.relative_path
    ]
    if types and len(types) == len(branches) and all(name in _A_TYPE for name in types):
        return f"must be {' or '.join(_A_TYPE[name] for name in types)}"
    return "fits none of the forms that this input may have"


def _nearest_branch(error: ValidationError) -> list[ValidationError]:
    """Return the errors of the form that a value was most likely meant to have; none where no form is near.

    Near is a form of which no constant, no choice and no type is missed at the value itself.
    """
    if not isinstance(error.instance, Mapping):
        return []
    branches: dict[Any, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.schema_path[0], []).append(inner)
    near = [found for found in branches.values() if not any(_is_other_form(inner) for inner in found)]
    return min(near, key=len) if near else []


def _is_other_form(inner: ValidationError) -> bool:
    at = len(inner.relative_path)
    return (inner.validator == "type" and at == 0) or (inner.validator in ("const", "enum") and at <= 1)


def _value(value: Any) -> str:
    return (
        shown(value)
        if isinstance(value, str)
        else shown(str(value).lower() if isinstance(value, bool) else str(value))
    )


def _count(singular: str, bound: str) -> Callable[[Any, ValidationError], str]:
    def words(limit: Any, _error: ValidationError) -> str:
        return f"must have at {bound} {limit} {singular}{'' if limit == 1 else 's'}"

    return words


_WORDS: dict[str, Callable[[Any, ValidationError], str]] = {
    "type": _type,
    "enum": _one_of,
    "const": lambda value, _: f"must be {_value(value)}",
    "minimum": lambda limit, _: f"must be at least {limit}",
    "maximum": lambda limit, _: f"must be at most {limit}",
    "exclusiveMinimum": lambda limit, _: f"must be more than {limit}",
    "exclusiveMaximum": lambda limit, _: f"must be less than {limit}",
    "multipleOf": lambda step, _: f"must be a multiple of {step}",
    "minLength": lambda limit, error: (
        "must not be empty" if limit == 1 else _count("character", "least")(limit, error)
    ),
    "maxLength": _count("character", "most"),
    "minItems": _count("item", "least"),
    "maxItems": _count("item", "most"),
    "minProperties": _count("value", "least"),
    "maxProperties": _count("value", "most"),
    "contains": lambda _value, _error: "holds no item of the kind that is needed",
    "pattern": lambda pattern, _: f"must match the pattern {shown(str(pattern))}",
    "format": lambda name, error: f"must be {_A_FORMAT[name]}" if name in _A_FORMAT else error.message,
    "anyOf": _any_of,
    "oneOf": _any_of,
    "not": lambda _value, _error: "has a value that is ruled out",
    "dependentRequired": lambda _value, error: shown(error.message),
}
