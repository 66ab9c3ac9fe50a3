"""The inputs of a run, read from a file at first use."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


class InputMissing(KeyError):
    """The run was given no input of this name."""

    def __str__(self) -> str:
        return str(self.args[0])


class Inputs(Mapping[str, Any]):
    """A read-only mapping of input names to JSON values; a file's value is its path, as text."""

    def __init__(self) -> None:
        self._values: dict[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        values = self._read()
        if name not in values:
            given = ", ".join(sorted(values)) or "none at all"
            raise InputMissing(f"This run has no input {name!r}; given are: {given}")
        return values[name]

    def path(self, name: str) -> Path:
        """Return where an input that is a file lies; it may be read and not changed."""
        value = self[name]
        if not isinstance(value, str):
            raise TypeError(f"The input {name!r} is no file but {type(value).__name__}")
        return Path(value)

    def paths(self, name: str) -> list[Path]:
        """Return where the files of an input that is a list of files lie; none where the run was not given it."""
        values = self.get(name) or []
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise TypeError(f"The input {name!r} is no list of files")
        return [Path(value) for value in values]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __contains__(self, name: object) -> bool:
        return name in self._read()

    def __repr__(self) -> str:
        return repr(self._read())

    def _read(self) -> dict[str, Any]:
        if self._values is None:
            self._values = _read_file(os.environ.get("CONTROLROOM_INPUTS", ""))
        return self._values


def _read_file(path: str) -> dict[str, Any]:
    if not path:
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
    except OSError as error:
        raise RuntimeError(f"CONTROLROOM_INPUTS names a file that cannot be read: {error}") from None
    except ValueError as error:
        raise RuntimeError(f"The inputs in {path} are not JSON: {error}") from None
    if not isinstance(values, dict):
        raise RuntimeError(f"The inputs in {path} must be a JSON object, not {type(values).__name__}")  # noqa: TRY004  # the file is at fault, not a caller's value
    return values
