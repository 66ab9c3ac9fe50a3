"""Turns a posted form back into values of a JSON Schema, and keeps what was typed whatever becomes of it."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from controlroom.bots.input_wording import pointer_to
from controlroom.web.forms.fields import Control, JsonSchema, Typed, control_of
from controlroom.web.forms.shapes import Shape, resolved, shape_of

MOST_ITEMS = 200
"""Items that a form shows of one list; longer ones are given through the API."""
COUNT_SUFFIX = "#count"
ADD, REMOVE = "add:", "remove:"

_MISSING: Any = object()
_ROUNDS = 8
_PLACE = re.compile(r"(\d+)((?:[/#].*)?)", re.DOTALL)


def typed_from(form: Iterable[tuple[str, str]]) -> Typed:
    """Return what a posted form holds, by pointer."""
    texts: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for name, value in form:
        if name.endswith(COUNT_SUFFIX):
            number = int(value) if value.isascii() and value.isdigit() and len(value) < 6 else 0
            counts[name.removesuffix(COUNT_SUFFIX)] = min(number, MOST_ITEMS)
        else:
            texts.setdefault(name, []).append(value)
    return Typed(texts, counts)


def with_action(typed: Typed, action: str) -> Typed:
    """Return what was typed after a list's button added an item at its end or took one out."""
    if action.startswith(ADD):
        pointer = action.removeprefix(ADD)
        count = typed.counts.get(pointer)
        if count is None:
            return typed
        return Typed(typed.texts, {**typed.counts, pointer: min(count + 1, MOST_ITEMS)})
    if action.startswith(REMOVE):
        pointer, _, index = action.removeprefix(REMOVE).rpartition("/")
        if pointer in typed.counts and index.isdigit() and int(index) < typed.counts[pointer]:
            return _without(typed, pointer, int(index))
    return typed


def _without(typed: Typed, pointer: str, index: int) -> Typed:
    def moved(name: str) -> str | None:
        if not name.startswith(f"{pointer}/"):
            return name
        place = _PLACE.fullmatch(name, len(pointer) + 1)
        if place is None or int(place[1]) < index:
            return name
        return None if int(place[1]) == index else f"{pointer}/{int(place[1]) - 1}{place[2]}"

    texts = {after: values for name, values in typed.texts.items() if (after := moved(name)) is not None}
    counts = {after: count for name, count in typed.counts.items() if (after := moved(name)) is not None}
    return Typed(texts, {**counts, pointer: typed.counts[pointer] - 1})


def read_values(
    schema: JsonSchema, typed: Typed, pointer: str = "/inputs"
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values that were typed, and by pointer what cannot be read at all.

    What was left empty is left out, so that the schema's own rules say whether it may be. Text that is no number is
    kept as text: the schema says then that it is none.
    """
    reader = _Reader(schema, typed, {})
    value = reader.read(schema, pointer, 0, required=True, is_root=True)
    return (value if isinstance(value, dict) else {}), reader.problems


class _Reader:
    def __init__(self, root: JsonSchema, typed: Typed, problems: dict[str, str]) -> None:
        self.root = root
        self.typed = typed
        self.problems = problems

    def read(self, schema: Any, pointer: str, depth: int, *, required: bool, is_root: bool = False) -> Any:
        shape = shape_of(schema, {}, self.root, self.typed.variant(pointer))
        control = control_of(shape.schema, depth, is_root=is_root)
        if control is Control.GROUP:
            return self._group(schema, pointer, depth, required=required and not shape.nullable)
        value = self._plain(shape.schema, control, pointer, depth, required=required)
        return None if value is _MISSING and required and shape.nullable else value

    def _plain(self, plain: JsonSchema, control: Control, pointer: str, depth: int, *, required: bool) -> Any:
        if control is Control.LIST:
            count = self.typed.counts.get(pointer, 0)
            items = [
                self.read(plain["items"], pointer_to(pointer, [index]), depth + 1, required=True)
                for index in range(count)
            ]
            return [_empty_item(item) for item in items] if items or required else _MISSING
        texts = self.typed.texts.get(pointer, [])
        if control is Control.CHOICES:
            chosen = [self._json(text, pointer) for text in texts]
            return chosen if chosen or required else _MISSING
        if control is Control.FILES:
            ids = [text for text in texts if text]
            return ids if ids or required else _MISSING
        if control is Control.FLAG:
            return bool(texts)
        text = texts[0] if texts else ""
        if control is Control.SECRET or control is Control.LONG_TEXT:
            return text.replace("\r\n", "\n") if text else _MISSING
        return self._scalar(control, text.strip(), pointer)

    def _group(self, schema: JsonSchema, pointer: str, depth: int, *, required: bool) -> Any:
        """Read an object. What is asked for may depend on what was given, so it is read until that stands."""
        given: dict[str, Any] = {}
        for _ in range(_ROUNDS):
            shape = shape_of(schema, given, self.root, self.typed.variant(pointer))
            again = self._properties(shape, pointer, depth)
            if again == given:
                break
            given = again
        # An optional group of which nothing was filled in is not there; its unchecked boxes say nothing.
        is_blank = all(value is False or value == [] or name in shape.fixed for name, value in given.items())
        return _MISSING if is_blank and not required else given

    def _properties(self, shape: Shape, pointer: str, depth: int) -> dict[str, Any]:
        needed = shape.schema.get("required", ())
        values = {
            name: resolved(inner, self.root)["const"]
            if name in shape.fixed
            else self.read(inner, pointer_to(pointer, [name]), depth + 1, required=name in needed)
            for name, inner in shape.schema.get("properties", {}).items()
        }
        return {name: value for name, value in values.items() if value is not _MISSING}

    def _scalar(self, control: Control, text: str, pointer: str) -> Any:
        if not text:
            return _MISSING
        if control in (Control.CHOICE, Control.JSON):
            return self._json(text, pointer)
        if control in (Control.NUMBER, Control.INTEGER):
            return _number(text)
        if control is Control.MOMENT:
            return _moment(text)
        if control is Control.TIME and len(text) in (5, 8):
            return f"{text}:00Z" if len(text) == 5 else f"{text}Z"
        return text

    def _json(self, text: str, pointer: str) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            self.problems[pointer] = (
                'is not JSON; write texts in "double quotes", lists in [ ], objects in { }'
            )
            return _MISSING


def _empty_item(item: Any) -> Any:
    return "" if item is _MISSING else item


def _number(text: str) -> Any:
    """Read a number as people write it; what is none stays text."""
    plain = text.replace(" ", "").replace("\u00a0", "").replace("_", "")
    if plain.count(",") == 1 and "." not in plain:
        plain = plain.replace(",", ".")
    try:
        return int(plain)
    except ValueError:
        pass
    try:
        return float(plain)
    except ValueError:
        return text


def _moment(text: str) -> str:
    """Complete what a browser's control gives (no seconds, no zone) to RFC 3339; the form says that it is UTC."""
    if len(text) == 16:
        text += ":00"
    return text if text.endswith(("Z", "z")) or "+" in text[10:] or "-" in text[10:] else text + "Z"


def errors_by_pointer(errors: Iterable[Any], problems: Mapping[str, str]) -> dict[str, str]:
    """Put together what the service says of fields and what could not be read; the latter goes first."""
    return {**{error.pointer: error.message for error in errors}, **problems}
