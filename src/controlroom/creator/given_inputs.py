"""Reads the inputs of a run as an author gives them: ``name=value`` on the command line, or a JSON file."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from controlroom.bots.file_inputs import is_file
from controlroom.bots.inputs import behind_reference
from controlroom.bots.manifest import JsonSchema
from controlroom.foundation.errors import FieldError, Invalid


def inputs_from_pairs(pairs: Sequence[str], schema: JsonSchema) -> dict[str, Any]:
    """Return the inputs of ``name=value`` texts.

    A value is taken as text where the schema wants text, and as JSON otherwise, so that ``5`` and ``true`` are what
    they look like; what is not JSON stays text, and the schema says whether that fits. A list of files is given by its
    name several times. Raises `Invalid`.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign or not name:
            raise _refused(f"'{pair}' is no input; write name=value.")
        if is_list_of_files(schema, name) and not text.lstrip().startswith("["):
            found.setdefault(name, []).append(text)
            continue
        if name in found:
            raise _refused(f"The input '{name}' is given twice.")
        found[name] = text if "string" in _types(schema, name) else _json_or_text(text)
    return found


def inputs_from_text(text: str, source: str) -> dict[str, Any]:
    """Return the inputs of a JSON document; raise `Invalid` that names its source."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(f"{source} is not JSON: {error}.") from None
    if not isinstance(values, dict):
        raise _refused(f'{source} must hold an object, such as {{"name": "value"}}.')
    return values


def is_list_of_files(schema: JsonSchema, name: str) -> bool:
    """Say whether an input is a list of files."""
    one = behind_reference(schema.get("properties", {}).get(name), schema)
    return isinstance(one, Mapping) and is_file(behind_reference(one.get("items"), schema))


def _types(schema: JsonSchema, name: str) -> Sequence[str]:
    properties = schema.get("properties", {})
    one = properties.get(name) if isinstance(properties, Mapping) else None
    wanted = one.get("type", ()) if isinstance(one, Mapping) else ()
    return (wanted,) if isinstance(wanted, str) else list(wanted)


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _refused(message: str) -> Invalid:
    return Invalid(message, fields=(FieldError("/inputs", message),))
