"""Reads the plain part of Bicep that our own renderer writes: comments, one resource, objects, lists, texts, numbers.

Anything more, such as an expression in place of a value, becomes an object that says so; anything else is refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from controlroom.network.errors import BadRuleset
from controlroom.network.rulesets.interface import RulesetText

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|//[^\n]*)
    |(?P<line>\n)
    |(?P<text>'(?:[^'\\\n]|\\.)*')
    |(?P<number>\d{1,9}(?![\w.]))
    |(?P<word>[A-Za-z_][\w.]*(?:\(\))?)
    |(?P<sign>[{}\[\]:=])""",
    re.VERBOSE,
)
_RESOURCE = re.compile(
    r"resource [A-Za-z_]\w* '(Microsoft\.Network/networkSecurityGroups)@[0-9A-Za-z-]+' = \{", re.I
)
_ESCAPES = {"\\\\": "\\", "\\'": "'", "\\$": "$", "\\n": "\n", "\\r": "\r", "\\t": "\t"}
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


def looks_like_bicep(text: str) -> bool:
    """Say whether a text has a network security group in Bicep."""
    return _RESOURCE.search(text) is not None


def resources_of_bicep(file: RulesetText) -> dict[str, object]:
    """Return the file as the object that its ARM template would be; raise `BadRuleset`."""
    found: list[object] = []
    position = 0
    for match in _RESOURCE.finditer(file.text):
        _refuse_other_statements(file, file.text[position : match.start()])
        reader = _Reader(file, match.end() - 1)
        body = reader.value(0)
        if not isinstance(body, dict):
            raise BadRuleset(f"{file.name}: the resource has no body")
        found.append({"type": match[1], **body})
        position = reader.end
    _refuse_other_statements(file, file.text[position:])
    return {"resources": found}


def _refuse_other_statements(file: RulesetText, text: str) -> None:
    for line in text.splitlines():
        plain = line.strip()
        if (
            plain
            and not plain.startswith("//")
            and not re.match(r"(param|output|metadata|targetScope)\b", plain)
        ):
            raise BadRuleset(
                f"{file.name}: {plain[:60]!r} is more Bicep than is read here; give az bicep build's output"
            )


class _Reader:
    def __init__(self, file: RulesetText, start: int) -> None:
        self._file = file
        self._tokens = self._scan(start)
        self._ahead: _Token | None = None
        self.end = start

    def value(self, depth: int) -> object:
        token = self._next()
        if depth > _DEEPEST:
            raise self._refuse(token, f"more than {_DEEPEST} levels deep")
        match token.kind, token.text:
            case "sign", "{":
                return self._object(depth)
            case "sign", "[":
                return self._list(depth)
            case "text", text:
                return _unquoted(text)
            case "number", text:
                return int(text)
            case "word", "true" | "false":
                return token.text == "true"
            case "word", "null":
                return None
            case "word", text:
                return {"expression": text}
        raise self._refuse(token, f"{token.text!r} is no value")

    def _object(self, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        while (token := self._skip_lines()).text != "}":
            if token.kind not in {"word", "text"}:
                raise self._refuse(token, f"{token.text!r} is no key")
            key = _unquoted(token.text) if token.kind == "text" else token.text
            if self._next().text != ":" or not isinstance(key, str) or key in found:
                raise self._refuse(token, f"{token.text!r} has no value, or stands twice")
            found[key] = self.value(depth + 1)
            self._end_of_line()
        return found

    def _list(self, depth: int) -> list[object]:
        found: list[object] = []
        while (token := self._skip_lines()).text != "]":
            self._ahead = token
            found.append(self.value(depth + 1))
            self._end_of_line()
        return found

    def _end_of_line(self) -> None:
        token = self._next()
        if token.text in {"}", "]"} and token.kind == "sign":
            self._ahead = token
        elif token.kind != "line":
            raise self._refuse(token, f"{token.text!r} stands behind a value")

    def _skip_lines(self) -> _Token:
        while (token := self._next()).kind == "line":
            pass
        return token

    def _next(self) -> _Token:
        token, self._ahead = self._ahead or next(self._tokens, None), None
        if token is None:
            raise BadRuleset(f"{self._file.name}: cut off: a bracket is not closed")
        return token

    def _scan(self, start: int) -> Iterator[_Token]:
        position, line = start, self._file.text.count("\n", 0, start) + 1
        while position < len(self._file.text):
            match = _TOKEN.match(self._file.text, position)
            if match is None or match.lastgroup is None:
                raise BadRuleset(
                    f"{self._file.name}:{line}: {self._file.text[position : position + 20]!r} is not read"
                )
            self.end = position = match.end()
            if match.lastgroup != "space":
                yield _Token(match.lastgroup, match[0], line)
            line += match[0].count("\n")

    def _refuse(self, token: _Token, reason: str) -> BadRuleset:
        return BadRuleset(f"{self._file.name}:{token.line}: {reason}")


def _unquoted(text: str) -> object:
    """Return a text without its quotes and escapes, or what says that it has an interpolation."""
    inner = text[1:-1]
    if re.search(r"(?<!\\)(?:\\\\)*\$\{", inner):
        return {"expression": inner}
    return re.sub(r"\\.", lambda match: _ESCAPES.get(match[0], match[0]), inner)
