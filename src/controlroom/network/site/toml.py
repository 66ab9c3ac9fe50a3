"""Reads values out of a parsed TOML file and says for each fault the file, the line, the key and the likely meaning."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import NoReturn

from controlroom.network.addresses import Addresses, parse_addresses
from controlroom.network.errors import BadPorts, BadSite
from controlroom.network.intervals import IntervalSet
from controlroom.network.ports import parse_ports

# Long enough for a site of 100,000 hosts, short enough not to be swamped by a wrong file.
LARGEST_FILE_BYTES = 16 * 1024 * 1024

# Names reach comments, set names and rule names of every firewall, so only what all of them take is taken.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_TABLE = re.compile(r"\s*\[+\s*(.+?)\s*\]+\s*(?:#.*)?")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
# No control characters, and no marks that are not seen or turn the reading direction: a comment that shows something
# else than it says hides a rule from whoever reviews it (CVE-2021-42574).
_PURPOSE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]{1,200}")
_SYNTAX = re.compile(r"(.*) \(at line (\d+), column \d+\)", re.DOTALL)


class Source:
    """The text of one file, which knows on which line each key stands."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self._text = text

    def parse(self) -> "Table":
        """Parse the file; raise `BadSite` with the line where it is not TOML."""
        if len(self._text) > LARGEST_FILE_BYTES:
            raise BadSite(f"larger than {LARGEST_FILE_BYTES} bytes; is this a site?", file=self.file)
        try:
            return Table(self, (), tomllib.loads(self._text))
        except tomllib.TOMLDecodeError as error:
            match = _SYNTAX.fullmatch(str(error))
            line = int(match[2]) if match else None
            message = match[1] if match else str(error)
            raise BadSite(f"not TOML: {message}", file=self.file, line=line) from None
        except RecursionError:
            raise BadSite("nested too deeply; is this a site?", file=self.file) from None

    def refuse(self, path: tuple[str, ...], message: str) -> NoReturn:
        """Raise `BadSite` at the line of a key, or of the nearest table around it."""
        raise BadSite(message, file=self.file, line=self._line_of(path), key=".".join(path))

    def _line_of(self, path: tuple[str, ...]) -> int | None:
        best: tuple[int, int] | None = None
        for number, found in self._keys():
            shared = len(found) if path[: len(found)] == found else 0
            if shared and (best is None or shared > best[0]):
                best = (shared, number)
        return best[1] if best else None

    def _keys(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        table: tuple[str, ...] = ()
        for number, line in enumerate(self._text.splitlines(), start=1):
            if header := _TABLE.fullmatch(line):
                table = _split(header[1])
                yield number, table
            elif key := _KEY.match(line):
                yield number, (*table, *_split(key[1]))


class Table:
    """One table of the file; each getter checks the kind of value and refuses with a plain sentence."""

    def __init__(self, source: Source, path: tuple[str, ...], values: Mapping[str, object]) -> None:
        self.source = source
        self.path = path
        self.values = values

    def allow_only(self, known: Iterable[str]) -> None:
        """Refuse keys that are not known, with the nearest known one."""
        names = tuple(known)
        for key in self.values:
            if key not in names:
                self.refuse(key, f"unknown key {key!r}; {nearest(key, names)}")

    def refuse(self, key: str, message: str) -> NoReturn:
        """Raise `BadSite` at a key of this table, or at the table itself for an empty key."""
        self.source.refuse((*self.path, key) if key else self.path, message)

    def text(self, key: str, default: str = "") -> str:
        """Return a text."""
        value = self.values.get(key, default)
        if not isinstance(value, str):
            self.refuse(key, f'{value!r} should be a text in quotes, such as {key} = "{value}"')
        return value

    def name(self, key: str, default: str = "") -> str:
        """Return a text that can be the name of something."""
        value = self.text(key, default)
        if value:
            self.check_name(key, value)
        return value

    def check_name(self, key: str, value: str) -> None:
        """Refuse a name that some firewall could not carry, or that could say more than a name."""
        if not _NAME.fullmatch(value):
            self.refuse(key, f"{value!r} cannot be a name: use up to 63 letters, digits, '-', '_' and '.'")

    def purpose(self, key: str) -> str:
        """Return a sentence on one line."""
        value = self.text(key)
        if not _PURPOSE.fullmatch(value):
            self.refuse(
                key, f"{value!r} should be one line of 1 to 200 characters that says what this is for"
            )
        return value

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        """Return one of several texts."""
        value = self.text(key, default)
        if value not in choices:
            self.refuse(key, f"{value!r} is not one of {', '.join(choices)}; {nearest(value, choices)}")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            self.refuse(key, f"{value!r} should be true or false, without quotes")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self.values.get(key, [])
        if isinstance(value, str):
            self.refuse(key, f'should be a list, such as {key} = ["{value}"]')
        if not isinstance(value, list):
            self.refuse(key, f"{value!r} should be a list of texts")
        for item in value:
            if not isinstance(item, str):
                self.refuse(key, f"{item!r} should be a text in quotes")
        return tuple(value)

    def addresses(self, key: str) -> Addresses:
        """Return addresses, prefixes and ranges as a set."""
        try:
            return parse_addresses(self.texts(key))
        except ValueError as error:
            self.refuse(key, str(error))

    def ports(self, key: str) -> IntervalSet:
        """Return ports: 443, "25, 587", or a list of either."""
        value = self.values.get(key)
        parts = value if isinstance(value, list) else [value]
        if not parts or not all(isinstance(part, int | str) and not isinstance(part, bool) for part in parts):
            self.refuse(
                key, f'{value!r} should be ports: a number, a text such as "7001-7009", or a list of either'
            )
        try:
            return parse_ports(", ".join(str(part) for part in parts))
        except BadPorts as error:
            self.refuse(key, str(error))

    def table(self, key: str) -> "Table":
        """Return a table within this one, empty where it is missing."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            self.refuse(key, f"should be a table; write [{'.'.join((*self.path, key))}]")
        return Table(self.source, (*self.path, key), value)

    def named_tables(self, key: str) -> "Iterator[tuple[str, Table]]":
        """Yield each ``[key.name]`` table."""
        group = self.table(key)
        for name in group.values:
            group.check_name(name, name)
            yield name, group.table(name)


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which known word is meant, or which there are."""
    names = sorted(known)
    close = get_close_matches(word, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(names)}"


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in re.findall(r""""[^"]*"|'[^']*'|[^.]+""", dotted))
