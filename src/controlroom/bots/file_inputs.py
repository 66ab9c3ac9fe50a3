"""Inputs that are files: what a schema asks of them, and where they stand among a run's inputs.

A file is ``{"type": "string", "format": "file"}``; its value is the id of an uploaded file, or a path on the machine
of an author who tries the bot. ``contentMediaType`` (``application/pdf``, ``image/*``) and ``x-max-mb`` narrow it.
"""

import mimetypes
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from controlroom.bots.file_format import FILE_FORMAT, LIMIT_KEYWORD, is_file_id
from controlroom.bots.input_wording import pointer_to
from controlroom.bots.inputs import DEEPEST_INPUTS, InputsInvalid, behind_reference
from controlroom.bots.manifest import JsonSchema
from controlroom.bots.patterns import PatternRefused, found_in
from controlroom.foundation.errors import FieldError

MEGABYTE = 1024 * 1024
_MOST_STEPS = 100_000
_SAME_PLACE = ("if", "then", "else")
_SAME_PLACE_LISTS = ("allOf", "anyOf", "oneOf")
_ANY_TYPE = "application/octet-stream"
_OFFICE = "application/vnd.openxmlformats-officedocument."
_MORE_TYPES = {
    ".xlsx": f"{_OFFICE}spreadsheetml.sheet",
    ".docx": f"{_OFFICE}wordprocessingml.document",
    ".pptx": f"{_OFFICE}presentationml.presentation",
    ".md": "text/markdown",
    ".toml": "application/toml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".eml": "message/rfc822",
    ".webp": "image/webp",
}


@dataclass(frozen=True, slots=True)
class FileRule:
    """What one schema asks of a file; an empty type takes any, None any size."""

    media_type: str = ""
    limit_bytes: int | None = None

    def problem(self, media_type: str, size_bytes: int) -> str:
        """Say why a file does not fit, empty where it does."""
        wanted = self.media_type.lower()
        is_of_type = media_type.startswith(wanted[:-1]) if wanted.endswith("/*") else media_type == wanted
        if wanted and not is_of_type:
            return f"must be a file of type {self.media_type}, not {media_type}"
        if self.limit_bytes is not None and size_bytes > self.limit_bytes:
            return f"must be a file of at most {self.limit_bytes / MEGABYTE:.4g} MB"
        return ""


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A file among inputs: where it stands, what stands there, and what the schemas of that place ask of it."""

    path: tuple[str | int, ...]
    value: str
    rules: tuple[FileRule, ...]

    @property
    def pointer(self) -> str:
        """The JSON pointer into the inputs."""
        return pointer_to("", self.path)

    def problem(self, media_type: str, size_bytes: int) -> str:
        """Say why a file does not fit here; of several forms that an input may have one is enough."""
        problems = [rule.problem(media_type, size_bytes) for rule in self.rules]
        return "" if "" in problems else problems[0]


def is_file(schema: object) -> bool:
    """Say whether a schema, without references, is that of a file."""
    return isinstance(schema, Mapping) and schema.get("format") == FILE_FORMAT


def rule_of(schema: Mapping[str, Any]) -> FileRule:
    """Return what the schema of a file asks of it."""
    limit = schema.get(LIMIT_KEYWORD)
    return FileRule(
        str(schema.get("contentMediaType", "")),
        round(limit * MEGABYTE) if isinstance(limit, int | float) and limit > 0 else None,
    )


def names_files(inputs: object) -> bool:
    """Say whether anything among inputs looks like the id of an uploaded file; cheap, for most runs have none."""
    if isinstance(inputs, str):
        return is_file_id(inputs)
    if isinstance(inputs, Mapping):
        return any(names_files(value) for value in inputs.values())
    return isinstance(inputs, list | tuple) and any(names_files(value) for value in inputs)


def file_places(
    schema: JsonSchema, inputs: Mapping[str, Any], *, is_value: Callable[[str], bool] = is_file_id
) -> list[FilePlace]:
    """Return where files stand among inputs, in the order of the inputs; texts that ``is_value`` denies are none.

    Raises `InputsInvalid` where schema and inputs are too much work to go through.
    """
    walk = _Walk(schema, is_value)
    walk.go(schema, inputs, (), 0)
    return [FilePlace(path, value, tuple(rules)) for path, (value, rules) in walk.found.items()]


def replaced(
    inputs: Any, values: Mapping[tuple[str | int, ...], Any], path: tuple[str | int, ...] = ()
) -> Any:
    """Return a copy of inputs with other values at some places."""
    if path in values:
        return values[path]
    if isinstance(inputs, Mapping):
        return {name: replaced(value, values, (*path, name)) for name, value in inputs.items()}
    if isinstance(inputs, list | tuple):
        return [replaced(value, values, (*path, index)) for index, value in enumerate(inputs)]
    return inputs


def media_type_of(name: str, announced: str = "") -> str:
    """Return a file's type by the ending of its name, else the one announced, else that of any bytes."""
    ending = f".{name.rpartition('.')[2].lower()}" if "." in name else ""
    known = _MORE_TYPES.get(ending) or mimetypes.MimeTypes().types_map[True].get(ending)
    return known or announced.partition(";")[0].strip().lower() or _ANY_TYPE


@dataclass(slots=True)
class _Walk:
    root: JsonSchema
    is_value: Callable[[str], bool]
    found: dict[tuple[str | int, ...], tuple[str, list[FileRule]]] = field(default_factory=dict)
    steps: int = _MOST_STEPS

    def go(self, schema: Any, value: Any, path: tuple[str | int, ...], depth: int) -> None:
        self.steps -= 1
        if self.steps < 0:
            message = "is too much work to check against the bot's schema; make it smaller"
            raise InputsInvalid(
                f"The inputs do not fit: this {message}.", fields=(FieldError("/inputs", message),)
            )
        schema = behind_reference(schema, self.root)
        if not isinstance(schema, Mapping) or depth > DEEPEST_INPUTS * 2:
            return
        if isinstance(value, str) and is_file(schema) and self.is_value(value):
            self.found.setdefault(path, (value, []))[1].append(rule_of(schema))
        for inner in _same_place(schema):
            self.go(inner, value, path, depth + 1)
        if isinstance(value, Mapping):
            for name, each in value.items():
                for inner in _of_property(schema, str(name)):
                    self.go(inner, each, (*path, str(name)), depth + 1)
        elif isinstance(value, list | tuple):
            first = schema.get("prefixItems", ())
            for index, each in enumerate(value):
                self.go(
                    first[index] if index < len(first) else schema.get("items"),
                    each,
                    (*path, index),
                    depth + 1,
                )


def _same_place(schema: Mapping[str, Any]) -> Iterator[Any]:
    yield from (schema[key] for key in _SAME_PLACE if key in schema)
    for key in _SAME_PLACE_LISTS:
        yield from schema.get(key, ())
    yield from schema.get("dependentSchemas", {}).values()


def _of_property(schema: Mapping[str, Any], name: str) -> Iterator[Any]:
    is_named = name in schema.get("properties", {})
    if is_named:
        yield schema["properties"][name]
    for pattern, inner in schema.get("patternProperties", {}).items():
        try:
            if found_in(pattern, name):
                is_named = True
                yield inner
        except PatternRefused:
            continue
    if not is_named and "additionalProperties" in schema:
        yield schema["additionalProperties"]
