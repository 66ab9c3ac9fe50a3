"""Lays a JSON Schema out as a tree of form fields, each named by its JSON pointer, filled with what was typed.

Conditions and choices between forms are followed (`shapes`); a field that no plain control fits (free names, a list of
different kinds, no type at all) becomes a text area for JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from controlroom.bots.file_inputs import is_file
from controlroom.bots.input_wording import pointer_to
from controlroom.web.forms.shapes import Shape, resolved, shape_of

JsonSchema = Mapping[str, Any]

DEEPEST = 8
"""Below this many levels a field is JSON, whatever its schema."""
VARIANT_SUFFIX = "#variant"
_LONG_TEXT = 200
_ROUNDS = 4


class Control(StrEnum):
    """How a field is filled in."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    SECRET = "secret"  # a kind of field
    NUMBER = "number"
    INTEGER = "integer"
    DATE = "date"
    MOMENT = "moment"
    TIME = "time"
    FLAG = "flag"
    CHOICE = "choice"
    CHOICES = "choices"
    GROUP = "group"
    LIST = "list"
    FILE = "file"
    FILES = "files"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Option:
    """One choice; ``value`` is its JSON, so that 1 and "1" stay apart."""

    value: str
    title: str


@dataclass(frozen=True, slots=True)
class FormField:
    """One field. ``value`` is what the control shows; ``pointer`` is its name and where errors about it point."""

    pointer: str
    control: Control
    title: str
    schema: JsonSchema
    help: str = ""
    required: bool = False
    value: Any = ""
    error: str = ""
    options: tuple[Option, ...] = ()
    children: tuple["FormField", ...] = ()
    limits: Mapping[str, str] = field(default_factory=dict)
    variants: tuple[Option, ...] = ()
    variant: str = ""
    """The form that is chosen, where there are several to choose from."""
    steers: bool = False
    """Whether what else is asked for depends on this value, so that the form is laid out anew when it changes."""
    most_items: int | None = None

    @property
    def id(self) -> str:
        """An id for the page's markup."""
        return "f" + "".join(character if character.isalnum() else "-" for character in self.pointer)


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed: texts by pointer, and how many items each list has. None of it is lost by an error."""

    texts: Mapping[str, list[str]]
    counts: Mapping[str, int]

    def variant(self, pointer: str) -> int:
        """Return which form was chosen for a value that may have several."""
        text = next(iter(self.texts.get(pointer + VARIANT_SUFFIX, ())), "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def lay_out(
    schema: JsonSchema,
    *,
    values: Mapping[str, Any] | None = None,
    typed: Typed | None = None,
    errors: Mapping[str, str] | None = None,
    pointer: str = "/inputs",
) -> FormField:
    """Return the form of a schema of type object, filled with values, or with what was typed where that is given.

    With what was typed belong the values that were read from it: conditions look at them.
    """
    layout = _Layout(schema, typed, errors or {})
    return layout.field_of(schema, pointer, "", required=True, value=dict(values or {}), depth=0)


@dataclass(frozen=True, slots=True)
class _Layout:
    root: JsonSchema
    typed: Typed | None
    errors: Mapping[str, str]

    def field_of(
        self,
        schema: Any,
        pointer: str,
        name: str,
        *,
        required: bool,
        value: Any,
        depth: int,
        steers: bool = False,
    ) -> FormField:
        shape = self._shape(schema, pointer, value)
        plain = shape.schema
        control = control_of(plain, depth, is_root=pointer == "/inputs" and depth == 0)
        known: dict[str, Any] = {
            "pointer": pointer,
            "control": control,
            "title": str(plain.get("title") or _title_of(name)),
            "schema": plain,
            "help": str(plain.get("description") or ""),
            "required": required and not shape.nullable,
            "error": self.errors.get(pointer, ""),
            "variants": tuple(Option(str(place), title) for place, title in enumerate(shape.variants)),
            "variant": str(shape.chosen),
            "steers": steers,
        }
        if control is Control.GROUP:
            return FormField(**known, children=self._children(shape, pointer, value, depth, steers=steers))
        if control is Control.LIST:
            return self._list(plain, known, value, depth)
        if control is Control.FILES:
            return self._files(plain, known, value, depth)
        if control in (Control.CHOICE, Control.CHOICES):
            known["options"] = _options(
                plain if control is Control.CHOICE else resolved(plain["items"], self.root)
            )
        return FormField(**known, value=self._shown(plain, pointer, control, value), limits=_limits(plain))

    def _shape(self, schema: Any, pointer: str, value: Any) -> Shape:
        """Return the shape for a value; defaults count as values until something was typed."""
        known = None if value is _MISSING else value
        if self.typed is not None:
            return shape_of(schema, known or {}, self.root, self.typed.variant(pointer))
        shape = shape_of(schema, known, self.root)
        chosen = shape.chosen
        for _ in range(_ROUNDS):
            if known is not None and not isinstance(known, Mapping):
                break
            filled = {**_defaults(shape.schema, self.root), **(known or {})}
            again = shape_of(schema, filled, self.root, chosen)
            if again == shape:
                break
            shape = again
        return shape

    def _children(
        self, shape: Shape, pointer: str, value: Any, depth: int, *, steers: bool
    ) -> tuple[FormField, ...]:
        schema = shape.schema
        required = schema.get("required", ())
        values = value if isinstance(value, Mapping) else {}
        return tuple(
            self.field_of(
                inner,
                pointer_to(pointer, [name]),
                name,
                required=name in required,
                value=values.get(name, _MISSING),
                depth=depth + 1,
                steers=steers or name in shape.steering,
            )
            for name, inner in schema.get("properties", {}).items()
            if name not in shape.fixed
        )

    def _list(self, schema: JsonSchema, known: dict[str, Any], value: Any, depth: int) -> FormField:
        pointer = known["pointer"]
        items = schema.get("default", []) if value is _MISSING else value
        items = items if isinstance(items, list) else []
        least = int(schema.get("minItems", 0) or 0)
        count = self.typed.counts.get(pointer, 0) if self.typed else max(len(items), min(least, 20))
        children = tuple(
            self.field_of(
                schema["items"],
                pointer_to(pointer, [index]),
                f"{index + 1}",
                required=True,
                value=items[index] if index < len(items) else _MISSING,
                depth=depth + 1,
            )
            for index in range(count)
        )
        return FormField(**known, children=children, most_items=schema.get("maxItems"))

    def _files(self, schema: JsonSchema, known: dict[str, Any], value: Any, depth: int) -> FormField:
        """Lay out a list of files: each has a field of its own for its id, and what is wrong with one is said of all."""
        pointer = known["pointer"]
        ids = self._shown(schema, pointer, Control.FILES, value)
        children = tuple(
            FormField(
                pointer=(each := pointer_to(pointer, [index])),
                control=Control.FILE,
                title=f"{index + 1}",
                schema=schema["items"],
                value=file_id,
                error=self.errors.get(each, ""),
            )
            for index, file_id in enumerate(ids)
        )
        wrong = next((child for child in children if child.error), None)
        if wrong is not None and not known["error"]:
            known["error"] = f"File {wrong.title} {wrong.error}"
        return FormField(**known, children=children, value=ids, most_items=schema.get("maxItems"))

    def _shown(self, schema: JsonSchema, pointer: str, control: Control, value: Any) -> Any:
        if self.typed is not None:
            texts = self.typed.texts.get(pointer, [])
            if control in (Control.CHOICES, Control.FILES):
                return [text for text in texts if text]
            return bool(texts) if control is Control.FLAG else (texts[0] if texts else "")
        value = schema.get("default", _MISSING) if value is _MISSING else value
        return shown_value(control, value)


_MISSING: Any = object()


def _defaults(schema: JsonSchema, root: JsonSchema) -> dict[str, Any]:
    plain = {name: resolved(inner, root) for name, inner in schema.get("properties", {}).items()}
    return {name: inner["default"] for name, inner in plain.items() if "default" in inner}


def shown_value(control: Control, value: Any) -> Any:
    """Return what a control shows for a value."""
    if control is Control.FLAG:
        return value is True
    if control is Control.FILES:
        return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
    if control is Control.CHOICES:
        return [_json(item) for item in value] if isinstance(value, list) else []
    if value is _MISSING or (value is None and control is not Control.CHOICE):
        return ""
    if control in (Control.CHOICE, Control.JSON):
        return _json(value, indent=2 if control is Control.JSON else None)
    if control is Control.MOMENT and isinstance(value, str):
        return value.removesuffix("Z").removesuffix("+00:00")
    if control in (Control.NUMBER, Control.INTEGER) and not isinstance(value, bool):
        return _json(value)
    return str(value)


def control_of(schema: JsonSchema, depth: int = 0, *, is_root: bool = False) -> Control:
    """Return the control that fits a schema without conditions."""
    kind = schema_type(schema)
    if is_root:
        return Control.GROUP
    if "enum" in schema or "const" in schema:
        return Control.CHOICE
    if depth >= DEEPEST:
        return Control.JSON
    if kind == "object":
        return Control.GROUP if schema.get("properties") else Control.JSON
    if kind == "array":
        return _array_control(schema)
    if kind == "string":
        return _text_control(schema)
    if kind == "boolean":
        return Control.FLAG
    return {"number": Control.NUMBER, "integer": Control.INTEGER}.get(kind, Control.JSON)


def schema_type(schema: JsonSchema) -> str:
    """Return a schema's type, the other one of a pair with ``null``; empty where it has several or none."""
    kind = schema.get("type")
    kinds = [each for each in kind if each != "null"] if isinstance(kind, list) else [kind]
    return str(kinds[0]) if len(kinds) == 1 and kinds[0] else ""


def _array_control(schema: JsonSchema) -> Control:
    items = schema.get("items")
    if not isinstance(items, Mapping) or "prefixItems" in schema:
        return Control.JSON
    if is_file(items):
        return Control.FILES
    return Control.CHOICES if "enum" in items and schema.get("uniqueItems") else Control.LIST


def _text_control(schema: JsonSchema) -> Control:
    if is_file(schema):
        return Control.FILE
    if schema.get("writeOnly") or schema.get("format") == "password":
        return Control.SECRET
    formats = {"date": Control.DATE, "date-time": Control.MOMENT, "time": Control.TIME}
    if schema.get("format") in formats:
        return formats[schema["format"]]
    is_long = schema.get("maxLength", 0) > _LONG_TEXT or "contentMediaType" in schema
    return Control.LONG_TEXT if is_long else Control.TEXT


def _options(schema: JsonSchema) -> tuple[Option, ...]:
    values = schema["enum"] if "enum" in schema else [schema["const"]]
    return tuple(Option(_json(value), _option_title(value)) for value in values)


def _option_title(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else _json(value)


def _limits(schema: JsonSchema) -> dict[str, str]:
    """Return what the browser can check by itself and what the field's help may say."""
    names = ("minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    return {name: str(schema[name]) for name in names if isinstance(schema.get(name), int | float)}


def _title_of(name: str) -> str:
    words = name.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)
