"""Typed reading of one table of a package's declaration; each refusal names the file and the key."""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from controlroom.bots.errors import DeclarationInvalid, declaration_error, shown

LONGEST_TEXT = 2000
LONGEST_LIST = 1000
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Table:
    """A mapping of a file. ``path`` is where it stands, such as ``tool.controlroom``."""

    def __init__(self, file: str, path: str, values: Mapping[str, Any]) -> None:
        self.file = file
        self.path = path
        self.values = values

    def refusal(self, key: str, message: str) -> DeclarationInvalid:
        """Return the error for one of the table's keys."""
        return declaration_error(self.file, ".".join(part for part in (self.path, key) if part), message)

    def has(self, key: str) -> bool:
        """Say whether the key is there and not null."""
        return self.values.get(key) is not None

    def refuse_unknown(self, known: Sequence[str]) -> None:
        """Raise for the first key that is not known, with the nearest one that is."""
        for key in self.values:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(known)}."
                raise self.refusal(shown(key), f"is not a key that is known here; {hint}")

    def text(self, key: str, default: str = "", longest: int = LONGEST_TEXT) -> str:
        """Return a text, without blanks around it."""
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.refusal(key, f"must be a text, not {_kind(value)}")
        if len(value) > longest:
            raise self.refusal(key, f"is longer than {longest} characters")
        return value.strip()

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, none of them empty."""
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            raise self.refusal(key, f"must be a list of texts, not {_kind(value)}")
        if len(value) > LONGEST_LIST or any(len(item) > LONGEST_TEXT for item in value):
            raise self.refusal(key, f"holds more than {LONGEST_LIST} texts, or one of them is too long")
        return tuple(item.strip() for item in value)

    def flag(self, key: str, default: bool) -> bool:
        """Return true or false."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self.refusal(key, f"must be true or false, not {_kind(value)}")
        return value

    def whole(self, key: str, default: int, *, least: int = 0, most: int = 10**9) -> int:
        """Return a whole number within its range."""
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.refusal(key, f"must be a whole number from {least:,} to {most:,}, not {_kind(value)}")
        return value

    def seconds(self, key: str, default: float, *, most: float) -> float:
        """Return a length of time: a number of seconds, or a text such as ``90s``, ``5m`` or ``1h30m``."""
        value = self.values.get(key)
        if value is None:
            return default
        found = duration_seconds(value)
        if found is None or not 0 < found <= most:
            raise self.refusal(
                key, f'must be a time such as "90s", "5m" or seconds, up to {most:g} s, not {_kind(value)}'
            )
        return found

    def choice(self, key: str, default: str, choices: Sequence[str]) -> str:
        """Return one of some words."""
        value = self.text(key, default)
        if value not in choices:
            near = difflib.get_close_matches(value, choices, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise self.refusal(key, f"must be one of {', '.join(choices)}, not '{shown(value)}'{hint}")
        return value

    def table(self, key: str) -> "Table | None":
        """Return a table below this one, None where there is none."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.refusal(key, f"must be a table of keys and values, not {_kind(value)}")
        return Table(self.file, ".".join(part for part in (self.path, key) if part), value)

    def inner_path(self, key: str, default: str = "") -> str:
        """Return a path inside the package, in its plain form; raise where it is absolute or leads out."""
        return self.as_inner_path(key, self.text(key, default)) if self.has(key) else default

    def inner_paths(self, key: str) -> tuple[str, ...]:
        """Return a list of paths inside the package."""
        return tuple(self.as_inner_path(key, path) for path in self.texts(key))

    def as_inner_path(self, key: str, text: str) -> str:
        """Return a path of the package in its plain form; ``.`` is the package's own folder."""
        path = PurePosixPath(text.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or text[1:2] == ":":
            raise self.refusal(key, f"must be a path inside the package, not '{shown(text)}'")
        return str(path)


def duration_seconds(value: object) -> float | None:
    """Return the seconds that a number or a text such as ``1h30m`` stands for, None where it is no such thing."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    text = value.replace(" ", "").lower()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    parts = list(_DURATION.finditer(text))
    if not parts or "".join(part.group() for part in parts) != text:
        return None
    return sum(float(part[1]) * _SECONDS[part[2]] for part in parts)


def _kind(value: object) -> str:
    if isinstance(value, str):
        return f"'{shown(value)}'"
    if value is None or isinstance(value, bool | int | float):
        return str(value).lower()
    return "a table" if isinstance(value, dict) else "a list"
