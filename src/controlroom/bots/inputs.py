"""Checks a run's inputs against its bot's schema, fills in defaults, and says what does not fit in plain words.

Bounded whatever schema and inputs are: sizes and depth first, patterns in linear time, and a budget of steps and time.
The functions may take up to `LONGEST_SECONDS`; call them in a thread where inputs are large.
"""

import copy
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry

from controlroom.bots.file_format import FILE_FORMAT, is_file_id
from controlroom.bots.input_wording import field_errors, pointer_to
from controlroom.bots.manifest import JsonSchema
from controlroom.bots.patterns import PatternRefused, found_in
from controlroom.foundation.errors import FieldError, Invalid

LARGEST_INPUTS_BYTES = 256 * 1024
DEEPEST_INPUTS = 32
LONGEST_SECONDS = 2.0
_MOST_STEPS = 200_000
_MOST_ERRORS = 20
_LONGEST_FORMATTED = 2048
_INTEGER_LIMIT = 2**63
_TIME_PART = r"T(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S)"
_DATE_PART = r"(?:\d+Y(?:\d+M(?:\d+D)?)?|\d+M(?:\d+D)?|\d+D)"
_DURATION = re.compile(rf"P(?:{_DATE_PART}(?:{_TIME_PART})?|{_TIME_PART}|\d+W)", re.ASCII)
_FORMATS = (
    "date",
    "date-time",
    "time",
    "duration",
    "email",
    "uri",
    "uuid",
    "ipv4",
    "ipv6",
    "hostname",
    FILE_FORMAT,
)


class InputsInvalid(Invalid):
    """Inputs do not fit the bot's schema; ``fields`` says which and why."""

    code = "inputs_invalid"
    title = "The inputs do not fit"


def check_inputs(schema: JsonSchema, inputs: object, *, pointer: str = "/inputs") -> dict[str, Any]:
    """Return the inputs with the schema's defaults filled in; raise `InputsInvalid` with a field error each.

    An empty schema takes any inputs. ``pointer`` is where the inputs stand in what was sent.
    """
    if not isinstance(inputs, Mapping):
        raise _invalid((FieldError(pointer, "must be an object of names and values"),))
    problem = _storable_problem(inputs, pointer, 0)
    if problem:
        raise _invalid((problem,))
    if len(msgspec.json.encode(inputs)) > LARGEST_INPUTS_BYTES:
        raise _invalid((FieldError(pointer, f"is larger than {LARGEST_INPUTS_BYTES // 1024} KiB"),))
    filled: dict[str, Any] = _with_defaults(schema, dict(inputs), schema, 0)
    errors = _bounded_errors(schema, schema, filled)
    if errors:
        raise _invalid(field_errors(errors, pointer))
    return filled


def default_problems(schema: JsonSchema) -> list[FieldError]:
    """Return the defaults at the schema's first level that do not fit their own input; pointers begin with its name."""
    problems: list[FieldError] = []
    for name, inner in schema.get("properties", {}).items():
        if isinstance(inner, dict) and "default" in inner:
            errors = _bounded_errors(schema, inner, inner["default"])
            problems += field_errors(errors, pointer_to("", [name]))
    return problems


def fits(root: Mapping[str, Any], schema: object, value: object) -> bool:
    """Say whether a value fits a part of a schema; what would take too long to check does not."""
    if isinstance(schema, bool):
        return schema
    return isinstance(schema, dict) and not _bounded_errors(dict(root), schema, value)


def _invalid(fields: tuple[FieldError, ...]) -> InputsInvalid:
    told = "; ".join(f"{field.pointer.removeprefix('/inputs/')}: {field.message}" for field in fields[:3])
    more = f" (and {len(fields) - 3} more)" if len(fields) > 3 else ""
    return InputsInvalid(f"The inputs do not fit: {told}{more}.", fields=fields)


def _storable_problem(value: object, pointer: str, depth: int) -> FieldError | None:
    """Find what JSON, the wire or a database could not hold: endless numbers, NUL characters, too deep a nesting."""
    if depth > DEEPEST_INPUTS:
        return FieldError(pointer, f"nests deeper than {DEEPEST_INPUTS} levels")
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(name, str) or _bad_text(name):
                return FieldError(pointer, "has a name that is not text that can be stored")
            if problem := _storable_problem(inner, pointer_to(pointer, [name]), depth + 1):
                return problem
        return None
    if isinstance(value, list | tuple):
        inner_problems = (
            _storable_problem(inner, pointer_to(pointer, [index]), depth + 1)
            for index, inner in enumerate(value)
        )
        return next((problem for problem in inner_problems if problem), None)
    message = _scalar_problem(value)
    return FieldError(pointer, message) if message else None


def _scalar_problem(value: object) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return "holds a NUL or half a character, which cannot be stored" if _bad_text(value) else ""
    if isinstance(value, int):
        return "" if -_INTEGER_LIMIT <= value < _INTEGER_LIMIT else "has more than 64 bits; give it as text"
    if isinstance(value, float):
        return "" if math.isfinite(value) else "must be a finite number"
    return "is not a JSON value"


def _bad_text(text: str) -> bool:
    return "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text)


def _with_defaults(schema: Any, value: Any, root: JsonSchema, depth: int) -> Any:
    """Fill defaults into objects, as the schema's own ``properties`` name them; choices such as anyOf fill nothing."""
    schema = behind_reference(schema, root)
    if not isinstance(schema, dict) or depth > DEEPEST_INPUTS:
        return value
    properties = schema.get("properties")
    if isinstance(value, dict) and isinstance(properties, dict):
        filled = dict(value)
        for name, inner in properties.items():
            plain = behind_reference(inner, root)
            if name not in filled and isinstance(plain, dict) and "default" in plain:
                filled[name] = copy.deepcopy(plain["default"])
            if name in filled:
                filled[name] = _with_defaults(plain, filled[name], root, depth + 1)
        return filled
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [_with_defaults(schema["items"], item, root, depth + 1) for item in value]
    return value


def behind_reference(schema: Any, root: JsonSchema) -> Any:
    """Return a schema behind its references into the document, with what stands beside them."""
    for _ in range(DEEPEST_INPUTS):
        if not isinstance(schema, dict) or not isinstance(schema.get("$ref"), str):
            return schema
        place: Any = root
        for part in schema["$ref"].removeprefix("#").split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            place = place.get(name) if isinstance(place, dict) else None
        schema = (
            {**place, **{key: schema[key] for key in schema if key != "$ref"}}
            if isinstance(place, dict)
            else None
        )
    return schema


@dataclass(slots=True)
class _Budget:
    """What one check may still spend."""

    steps: int
    until: float

    def spend(self) -> None:
        self.steps -= 1
        if self.steps < 0 or (self.steps % 64 == 0 and time.monotonic() > self.until):
            raise _Exhausted


class _Exhausted(Exception):
    """The budget is spent."""


_budget: ContextVar[_Budget] = ContextVar("inputs_budget")


def _bounded_errors(root: JsonSchema, schema: JsonSchema, value: object) -> list[ValidationError]:
    """Return the first errors of a value; a check that would take too long is an error itself."""
    token = _budget.set(_Budget(_MOST_STEPS, time.monotonic() + LONGEST_SECONDS))
    try:
        checker = _Checker(root, registry=Registry(), format_checker=_FORMAT_CHECKER).evolve(schema=schema)
        return list(islice(checker.iter_errors(value), _MOST_ERRORS))
    except (_Exhausted, RecursionError, OverflowError):
        return [ValidationError("is too much work to check against the bot's schema; make it smaller")]
    finally:
        _budget.reset(token)


Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


def _counted(keyword: Keyword) -> Keyword:
    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        _budget.get().spend()
        yield from keyword(validator, value, instance, schema) or ()

    return check


def _pattern(validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not _matches(pattern, instance):
        yield ValidationError(f"must match {pattern}")


def _pattern_properties(
    validator: Any, patterns: Any, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, inner in patterns.items():
        for name, value in instance.items():
            _budget.get().spend()
            if _matches(pattern, name):
                yield from validator.descend(value, inner, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, inner: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, value in instance.items():
        _budget.get().spend()
        if name in named or any(_matches(pattern, name) for pattern in patterns):
            continue
        if inner is False:
            yield ValidationError("is not known", path=(name,))
        else:
            yield from validator.descend(value, inner, path=name)


def _unique_items(validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if not wanted or not validator.is_type(instance, "array"):
        return
    seen: set[bytes] = set()
    for index, item in enumerate(instance):
        _budget.get().spend()
        canonical = msgspec.json.encode(_as_json_compares(item), order="deterministic")
        if canonical in seen:
            yield ValidationError("is in the list twice", path=(index,))
            return
        seen.add(canonical)


def _as_json_compares(value: Any) -> Any:
    """Return a value of which equal ones encode alike: in JSON Schema 1 and 1.0 are one number."""
    if isinstance(value, dict):
        return {name: _as_json_compares(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_as_json_compares(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _format(validator: Any, name: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and name in _FORMATS and len(instance) > _LONGEST_FORMATTED:
        yield ValidationError(f"is longer than {_LONGEST_FORMATTED} characters")
    else:
        yield from Draft202012Validator.VALIDATORS["format"](validator, name, instance, schema) or ()


def _matches(pattern: str, text: str) -> bool:
    try:
        return found_in(pattern, text)
    except PatternRefused:
        return False


_OWN: dict[str, Keyword] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
    "format": _format,
}
_FORMAT_CHECKER = FormatChecker([name for name in _FORMATS if name not in ("duration", FILE_FORMAT)])


@_FORMAT_CHECKER.checks("duration")
def _is_duration(value: object) -> bool:
    """Say whether a text is a duration as RFC 3339 appendix A writes it; other values are none of this check's."""
    return not isinstance(value, str) or _DURATION.fullmatch(value) is not None


@_FORMAT_CHECKER.checks(FILE_FORMAT)
def _is_file(value: object) -> bool:
    """Say whether a text may be the id of an uploaded file; whether there is one is for who keeps them."""
    return not isinstance(value, str) or is_file_id(value)


_Checker: Any = extend(  # type: ignore[no-untyped-call]  # the library leaves it untyped
    Draft202012Validator,
    {name: _counted(keyword) for name, keyword in {**Draft202012Validator.VALIDATORS, **_OWN}.items()},
)
