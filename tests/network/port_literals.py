"""Finds port numbers that are written into source: numbers where a port is meant, and well-known ones anywhere."""

import ast
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from itertools import pairwise

_PORT_WORD = re.compile(r"(^|_)ports?($|_)", re.IGNORECASE)
_COUNT_WORD = re.compile(r"(^|_)(most|least|slots|count|limit)($|_)", re.IGNORECASE)
"""How many ports, and not which."""
_IN_TEXT = re.compile(r"(?<![\d.,#])(\d{2,5})(?![\d.,]\d|\d|[%a-zA-Z])")
_AFTER_HOST = re.compile(r"(?:\d|\w|\]|\*):(\d{2,5})(?!\d|:)")
_AT_START = re.compile(r":(\d{2,5})(?!\d|:)")
_DISTINCTIVE = 1_000
"""Smaller ones of the catalogue (25, 80, 443) are sizes, counts and HTTP states as often as ports."""
_HIGHEST = 65_535
_BOUNDS = (0, 1, _HIGHEST, _HIGHEST + 1)
"""What checks of ranges are made of."""


@dataclass(frozen=True, slots=True)
class PortLiteral:
    """Where a port number stands, and what it is."""

    line: int
    number: int
    why: str


def port_literals(source: str, known: Set[int]) -> list[PortLiteral]:
    """Return the port numbers that stand in a module; ``known`` are those of the catalogue. Docstrings do not count."""
    tree = ast.parse(source)
    docstrings = {id(text) for text in _docstrings(tree)}
    found = {(each.line, each.number): each for each in _walk(tree, known, docstrings)}
    return sorted(found.values(), key=lambda each: (each.line, each.number))


def _walk(tree: ast.AST, known: Set[int], docstrings: Set[int]) -> Iterator[PortLiteral]:
    for node in ast.walk(tree):
        for name, value in _named_values(node):
            if _PORT_WORD.search(name) and not _COUNT_WORD.search(name):
                for number in _numbers(value):
                    yield PortLiteral(
                        number.lineno, _value(number), f"is what '{name}' is or is held against"
                    )
        if _is_number(node) and _value(node) in known and _value(node) >= _DISTINCTIVE:
            yield PortLiteral(_line(node), _value(node), "is a port of the catalogue")
        if isinstance(node, ast.Tuple) and len(node.elts) == 2 and _is_number(node.elts[1]):
            first = node.elts[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield from _if_known(node.elts[1], known, "follows a host or a name")
        if isinstance(node, ast.JoinedStr):
            yield from _in_joined_text(node, known)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield from _in_text(node, known)


def _named_values(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield _name(target), value
        case ast.AnnAssign(target=target, value=ast.AST() as value):
            yield _name(target), value
        case ast.keyword(arg=str() as name, value=value):
            yield name, value
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value, value
        case ast.Compare(left=left, comparators=others):
            sides = [left, *others]
            for side in sides:
                for other in sides:
                    if other is not side:
                        yield _name(side), other
        case ast.arguments():
            plain = [*node.posonlyargs, *node.args]
            pairs = [*zip(plain[len(plain) - len(node.defaults) :], node.defaults, strict=True)]
            pairs += [(a, d) for a, d in zip(node.kwonlyargs, node.kw_defaults, strict=True) if d is not None]
            for argument, default in pairs:
                yield argument.arg, default
        case ast.Call(func=called, args=[*given]):
            if _name(called) in {"ports", "port", "_port", "_ports"}:
                for each in given:
                    yield "port", each


def _name(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return _name(value)
        case _:
            return ""


def _numbers(value: ast.AST) -> Iterator[ast.Constant]:
    """Give the numbers that a value is made of, not those inside of a call's own arguments."""
    pending: list[ast.AST] = [value]
    while pending:
        node = pending.pop()
        if _is_number(node) and _value(node) not in _BOUNDS and 0 < _value(node) <= _HIGHEST:
            yield node  # type: ignore[misc]  # seen to be a constant
        elif isinstance(node, ast.Tuple | ast.List | ast.Set | ast.BoolOp | ast.IfExp | ast.Starred):
            pending += ast.iter_child_nodes(node)
        elif isinstance(node, ast.Dict):
            pending += node.values


def _if_known(node: ast.AST, known: Set[int], why: str) -> Iterator[PortLiteral]:
    number = _value(node)
    if number in known:
        yield PortLiteral(_line(node), number, why)


def _in_text(node: ast.Constant, known: Set[int]) -> Iterator[PortLiteral]:
    for match in _AFTER_HOST.finditer(str(node.value)):
        if "://" in str(node.value) or int(match[1]) in known:
            yield PortLiteral(node.lineno, int(match[1]), "follows a host in a text")
    for match in _IN_TEXT.finditer(str(node.value)):
        if int(match[1]) in known and int(match[1]) >= _DISTINCTIVE:
            yield PortLiteral(node.lineno, int(match[1]), "is a port of the catalogue in a text")


def _in_joined_text(node: ast.JoinedStr, known: Set[int]) -> Iterator[PortLiteral]:
    texts = [
        part.value for part in node.values if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]
    is_address = any("://" in text for text in texts)
    for before, part in pairwise(node.values):
        match = _AT_START.match(str(part.value)) if isinstance(part, ast.Constant) else None
        if isinstance(before, ast.FormattedValue) and match and (is_address or int(match[1]) in known):
            yield PortLiteral(node.lineno, int(match[1]), "follows a host in a text")


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _line(node: ast.AST) -> int:
    assert isinstance(node, ast.expr)
    return node.lineno


def _value(node: ast.AST) -> int:
    assert isinstance(node, ast.Constant)
    assert isinstance(node.value, int)
    return node.value


def _docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Give the texts that stand alone as statements: docstrings, of attributes too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
