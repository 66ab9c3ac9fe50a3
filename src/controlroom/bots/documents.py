"""Reads YAML and TOML that strangers wrote: bounded in size, depth and expansion, and free of what cannot be stored.

The result holds only dicts with text keys, lists, texts, booleans, None, finite floats and 64-bit integers; dates
become ISO text.
"""

import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import yaml

from controlroom.bots.errors import declaration_error, shown
from controlroom.bots.files import PackageFiles, read_text

DOCUMENT_LIMIT_BYTES = 256 * 1024
DEEPEST = 40
MOST_NODES = 20_000
_INTEGER_LIMIT = 2**63

_CONSTRUCTION_FAULTS = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError)
"""What PyYAML lets through where a value does not suit its tag, such as an empty ``!!int``."""

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it


def read_toml(files: PackageFiles, name: str) -> dict[str, Any]:
    """Return a TOML file's content; raise `DeclarationInvalid` that says where it cannot be read."""
    return parse_toml(read_text(files, name, DOCUMENT_LIMIT_BYTES), name)


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """Return a TOML text's content; ``name`` is the file it stands in."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise declaration_error(name, "", f"is not TOML: {error}") from None
    except (RecursionError, ValueError) as error:
        raise declaration_error(name, "", f"cannot be read as TOML: {_words(error)}") from None
    return _table(document, name)


def read_yaml(files: PackageFiles, name: str) -> dict[str, Any]:
    """Return a YAML file's mapping; raise `DeclarationInvalid` that says where it cannot be read."""
    return parse_yaml(read_text(files, name, DOCUMENT_LIMIT_BYTES), name)


def parse_yaml(text: str, name: str) -> dict[str, Any]:
    """Return a YAML text's mapping; ``name`` is the file it stands in. An empty document is an empty mapping.

    Raises `DeclarationInvalid` for what is not YAML, repeats a key, nests too deep, or grows through aliases beyond
    `MOST_NODES` (a "billion laughs").
    """
    try:
        _check_events(yaml.parse(text, Loader=_Loader), name)
        document = yaml.load(text, Loader=_Loader)  # noqa: S506  # nosec B506: the loader is the safe one
    except yaml.MarkedYAMLError as error:
        where = f" (line {error.problem_mark.line + 1})" if error.problem_mark is not None else ""
        raise declaration_error(name, "", f"is not YAML: {error.problem or error.context}{where}") from None
    except (yaml.YAMLError, *_CONSTRUCTION_FAULTS) as error:
        raise declaration_error(name, "", f"cannot be read as YAML: {_words(error)}") from None
    return _table({} if document is None else document, name)


@dataclass(slots=True)
class _Frame:
    """A collection that is being read: its anchor, its size with all aliases expanded, and a mapping's keys."""

    anchor: str | None
    is_mapping: bool = False
    size: int = 1
    children: int = 0
    keys: set[str] = field(default_factory=set)


def _check_events(events: Iterator[Any], name: str) -> None:
    """Walk the events, which the parser gives without recursion, before anything is built from them."""
    open_frames = [_Frame(None)]
    sizes: dict[str, int] = {}
    for event in events:
        frame = open_frames[-1]
        if isinstance(event, yaml.CollectionStartEvent):
            frame.children += 1
            open_frames.append(_Frame(event.anchor, isinstance(event, yaml.MappingStartEvent)))
            if len(open_frames) > DEEPEST:
                raise declaration_error(name, "", f"is nested deeper than {DEEPEST} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            open_frames.pop()
            if frame.anchor:
                sizes[frame.anchor] = frame.size
            open_frames[-1].size += frame.size
        elif isinstance(event, yaml.AliasEvent):
            frame.children += 1
            if event.anchor not in sizes:
                raise declaration_error(name, "", f"the alias *{event.anchor} stands before its anchor ends")
            frame.size += sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            _note_key(frame, event, name)
            frame.size += 1
            if event.anchor:
                sizes[event.anchor] = 1
        if open_frames[-1].size > MOST_NODES:
            raise declaration_error(name, "", f"holds more than {MOST_NODES:,} values, aliases counted")


def _note_key(frame: _Frame, event: yaml.ScalarEvent, name: str) -> None:
    frame.children += 1
    if not frame.is_mapping or frame.children % 2 == 0:
        return
    if event.value in frame.keys and event.value != "<<":
        line = f" (line {event.start_mark.line + 1})" if event.start_mark is not None else ""
        raise declaration_error(name, "", f"has the key '{shown(event.value)}' twice{line}")
    frame.keys.add(event.value)


def _table(document: object, name: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise declaration_error(name, "", "must be a mapping of keys to values")
    budget = [MOST_NODES]
    settled: dict[str, Any] = _settled(document, name, "", 0, budget)
    return settled


def _settled(value: object, name: str, key: str, depth: int, budget: list[int]) -> Any:
    budget[0] -= 1
    if depth > DEEPEST or budget[0] < 0:
        raise declaration_error(name, key, f"holds more than {MOST_NODES:,} values or nests too deep")
    if isinstance(value, dict):
        return {
            _settled_key(inner, name, key): _settled(item, name, _below(key, inner), depth + 1, budget)
            for inner, item in value.items()
        }
    if isinstance(value, list | tuple | set):
        return [
            _settled(item, name, _below(key, index), depth + 1, budget) for index, item in enumerate(value)
        ]
    return _settled_scalar(value, name, key)


def _settled_scalar(value: object, name: str, key: str) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _settled_text(value, name, key)
    if isinstance(value, int):
        if not -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
            raise declaration_error(name, key, "is a number of more than 64 bits")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise declaration_error(name, key, "must be a finite number")
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    raise declaration_error(name, key, f"is a {type(value).__name__}, which is not taken here")


def _settled_key(key: object, name: str, parent: str) -> str:
    if isinstance(key, bool) or not isinstance(key, str | int | float):
        raise declaration_error(name, parent, f"has the key {key!r}; keys are text")
    return _settled_text(str(key), name, parent)


def _settled_text(text: str, name: str, key: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise declaration_error(name, key, "holds a NUL or half a character, which cannot be stored")
    return text


def _below(key: str, inner: object) -> str:
    return f"{key}.{inner}" if key else str(inner)


def _words(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it nests too deep"
    return " ".join(str(error).split())[:200] or type(error).__name__
