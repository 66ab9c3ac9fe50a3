"""Reads the part of nft's own language that our renderer writes, into the objects that ``nft -j`` would print."""

import re
from collections.abc import Iterator
from typing import NoReturn

from controlroom.network.errors import BadRuleset
from controlroom.network.rulesets.interface import RulesetText

_TOKEN = re.compile(r'"[^"\n]*"|#[^\n]*|[{},;\n]|[^\s{},;"]+')
_PAIRS = {
    ("ip", "saddr"),
    ("ip", "daddr"),
    ("ip6", "saddr"),
    ("ip6", "daddr"),
    ("tcp", "dport"),
    ("udp", "dport"),
}
_PAIRS |= {("tcp", "sport"), ("udp", "sport"), ("icmpv6", "type"), ("icmp", "type")}

Found = dict[str, object]


def objects_of_text(file: RulesetText) -> list[Found]:
    """Return the tables' sets, chains and rules; raise `BadRuleset` at the first thing that is not ours."""
    return list(_Reader(file).tables())


class _Reader:
    def __init__(self, file: RulesetText) -> None:
        self._file = file
        found = (match[0] for match in _TOKEN.finditer(file.text))
        self._tokens = [token for token in found if not token.startswith("#")]
        self._at = 0

    def tables(self) -> Iterator[Found]:
        while self._skip_lines():
            if self._peek() == "delete":
                self._take_line()
                continue
            self._expect("table")
            family, name = self._next(), self._next()
            if self._peek() == "{":
                self._next()
                yield from self._table(family, name)

    def _table(self, family: str, table: str) -> Iterator[Found]:
        while self._skip_lines() and self._peek() != "}":
            kind, name = self._next(), self._next()
            self._expect("{")
            if kind == "set":
                yield {"set": {"family": family, "table": table, "name": name, "elem": self._set()}}
            elif kind == "chain":
                yield from self._chain(family, table, name)
            else:
                self.refuse(f"{kind!r} in a table")
        self._expect("}")

    def _set(self) -> list[object]:
        elements: list[object] = []
        while self._skip_lines() and self._peek() != "}":
            if self._next() == "elements":
                self._expect("=")
                elements = self._values()
            else:
                self._take_line()
        self._expect("}")
        return elements

    def _chain(self, family: str, table: str, name: str) -> Iterator[Found]:
        place: Found = {"family": family, "table": table}
        chain: Found = {**place, "name": name}
        rules: list[Found] = []
        while self._skip_lines() and self._peek() != "}":
            line = self._take_statement()
            try:
                if line[0] == "type" and line[2:3] == ["hook"]:
                    if len(line) != 6:
                        self.refuse(f"{' '.join(line)[:60]!r} is more than our own rendering says")
                    chain |= {"type": line[1], "hook": line[3], "prio": line[5]}
                elif line[0] == "policy":
                    chain["policy"] = line[1]
                else:
                    rules.append({"rule": {**place, "chain": name, **_rule(line, self)}})
            except (IndexError, ValueError):
                self.refuse(f"{' '.join(line)[:60]!r} is cut off")
        self._expect("}")
        yield {"chain": chain}
        yield from rules

    def _take_statement(self) -> list[str]:
        """Return the tokens up to the end of a statement; braces of sets are kept whole."""
        taken: list[str] = []
        depth = 0
        while self._at < len(self._tokens):
            piece = self._tokens[self._at]
            if depth == 0 and piece in {"\n", ";"}:
                break
            if depth == 0 and piece == "}":
                break
            depth += {"{": 1, "}": -1}.get(piece, 0)
            taken.append(piece)
            self._at += 1
        return taken

    def _values(self) -> list[object]:
        self._expect("{")
        values: list[object] = []
        while (token := self._next()) != "}":
            if token not in {",", "\n"}:
                values.append(value_of(token))
        return values

    def _skip_lines(self) -> bool:
        while self._at < len(self._tokens) and self._tokens[self._at] in {"\n", ";"}:
            self._at += 1
        return self._at < len(self._tokens)

    def _take_line(self) -> None:
        while self._at < len(self._tokens) and self._tokens[self._at] != "\n":
            self._at += 1

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise BadRuleset(f"{self._file.name}: cut off")
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, token: str) -> None:
        if (found := self._next()) != token:
            self.refuse(f"{found!r} where {token!r} should be")

    def refuse(self, what: str) -> NoReturn:
        """Raise `BadRuleset` at the current line."""
        line = self._tokens[: self._at].count("\n") + 1
        raise BadRuleset(f"{self._file.name}:{line}: {what}; give the output of nft -j list ruleset instead")


def _rule(line: list[str], reader: _Reader) -> Found:
    expressions: list[Found] = []
    found: Found = {"expr": expressions}
    at = 0
    while at < len(line):
        pair = tuple(line[at : at + 2])
        if line[at] == "comment":
            found["comment"] = line[at + 1].strip('"')
            at += 2
        elif pair in _PAIRS:
            right, after = _right(line, at + 2)
            expressions.append(_match({"payload": {"protocol": pair[0], "field": pair[1]}}, right))
            at = after
        elif pair == ("ct", "state"):
            right, after = _right(line, at + 2)
            expressions.append(_match({"ct": {"key": "state"}}, right))
            at = after
        elif line[at] in {"iifname", "oifname"}:
            expressions.append(_match({"meta": {"key": line[at]}}, line[at + 1].strip('"')))
            at += 2
        elif line[at] in {"accept", "drop"}:
            expressions.append({line[at]: None})
            at += 1
        else:
            reader.refuse(f"{line[at]!r} in a rule")
    return found


def _match(left: Found, right: object) -> Found:
    return {"match": {"op": "==", "left": left, "right": right}}


def _right(line: list[str], at: int) -> tuple[object, int]:
    if line[at] != "{":
        flags: list[str] = [line[at]]
        while line[at + 1 : at + 2] == [","]:
            flags.append(line[at + 2])
            at += 2
        return (value_of(flags[0]) if len(flags) == 1 else flags), at + 1
    end = line.index("}", at)
    return {"set": [value_of(token) for token in line[at + 1 : end] if token not in {",", "\n"}]}, end + 1


def value_of(token: str) -> object:
    """Return a value as nft's JSON has it: a number, a range, a prefix or a word."""
    if token.isdecimal():
        return int(token)
    if re.fullmatch(r"[\d]+-[\d]+", token):
        return {"range": [int(part) for part in token.split("-")]}
    if "/" in token:
        address, length = token.split("/", 1)
        return {"prefix": {"addr": address, "len": length}}
    return token
