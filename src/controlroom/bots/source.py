"""Looks into Python source without running it: what a module binds, which functions are tasks, what they take."""

import ast
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from controlroom.bots.files import PackageFiles, readable_text
from controlroom.bots.manifest import JsonSchema

SOURCE_LIMIT_BYTES = 1024 * 1024
ROOTS = (".", "src")
"""Folders of a package from which modules may be imported, in order."""


@dataclass(frozen=True, slots=True)
class SourceFault:
    """Why a file is no Python that this interpreter understands; ``line`` is 0 where none can be named."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class TaskFunction:
    """A function that a decorator marks as a way to start the package."""

    name: str
    file: str
    decorator: str
    description: str
    inputs: JsonSchema


def parsed(text: str) -> ast.Module | SourceFault:
    """Parse source, or say why it cannot be; never raises, whatever the source holds."""
    try:
        return ast.parse(text)
    except SyntaxError as error:
        return SourceFault(error.lineno or 0, error.msg or "invalid syntax")
    except (ValueError, RecursionError, MemoryError):
        return SourceFault(0, "is nested too deep or holds characters that Python does not take")


def module_of(files: PackageFiles, name: str) -> ast.Module | None:
    """Parse a file of the package; None where it is not there, not readable or not Python."""
    text = readable_text(files, name, SOURCE_LIMIT_BYTES) if files.is_file(name) else None
    module = parsed(text) if text is not None else None
    return module if isinstance(module, ast.Module) else None


def module_file(files: PackageFiles, module: str) -> tuple[str, str] | None:
    """Return a module's file and the root it is imported from, None where it is not part of the package."""
    path = module.replace(".", "/")
    for root in ROOTS:
        start = "" if root == "." else f"{root}/"
        for candidate in (f"{start}{path}.py", f"{start}{path}/__init__.py"):
            if files.is_file(candidate):
                return candidate, root
    return None


def python_path(files: PackageFiles) -> tuple[str, ...]:
    """Return the folders from which the package's modules are imported."""
    has_source = any(name.startswith("src/") and name.endswith(".py") for name in files.names())
    return (".", "src") if has_source else (".",)


def bound_names(module: ast.Module) -> dict[str, ast.AST]:
    """Return what a module binds at its top level, blocks such as ``if`` and ``try`` included."""
    bound: dict[str, ast.AST] = {}
    pending: list[ast.AST] = [module]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.stmt):
            bound.update(dict.fromkeys(_names_of(node), node))
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            pending += [inner for inner in ast.iter_child_nodes(node) if isinstance(inner, _BLOCKS)]
    return bound


_BLOCKS = (ast.stmt, ast.excepthandler, ast.match_case)


def _names_of(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name.partition(".")[0]) for alias in statement.names)
    elif isinstance(statement, ast.Assign):
        yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id


def task_functions(files: PackageFiles, decorators: Sequence[str]) -> list[TaskFunction]:
    """Return the top-level functions that one of the decorators marks, by file and line. Tests are left out."""
    found: list[TaskFunction] = []
    for name in files.names():
        if not name.endswith(".py") or name.startswith(("tests/", "test/")) or "/tests/" in name:
            continue
        module = module_of(files, name)
        for statement in module.body if module else ():
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                decorator = next(
                    (mark for mark in map(_decorator, statement.decorator_list) if mark in decorators), ""
                )
                if decorator:
                    found.append(_task_function(name, decorator, statement))
    return found


def _decorator(node: ast.expr) -> str:
    target = node.func if isinstance(node, ast.Call) else node
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""


def _task_function(
    file: str, decorator: str, function: ast.FunctionDef | ast.AsyncFunctionDef
) -> TaskFunction:
    told = _storable(ast.get_docstring(function) or "")
    return TaskFunction(
        function.name, file, decorator, told.partition("\n\n")[0][:2000], _inputs_of(function, told)
    )


_TYPES = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
}
_GIVEN = {"Request", "Secret", "OAuth2Secret", "Context", "DataContext"}
"""Parameters of these types come from the product that runs the function, not from its caller."""


def _inputs_of(function: ast.FunctionDef | ast.AsyncFunctionDef, told: str) -> JsonSchema:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [
        *zip(positional, defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    properties: dict[str, Any] = {}
    required: list[str] = []
    for argument, default in pairs:
        if _annotation(argument.annotation) in _GIVEN:
            continue
        schema = _schema_of(argument.annotation)
        description = _told_of(argument.arg, told)
        if description:
            schema["description"] = description
        value = _literal(default)
        if default is None:
            required.append(argument.arg)
        elif _is_plain(value):
            schema["default"] = value
        properties[argument.arg] = schema
    expanded: JsonSchema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**expanded, "required": required} if required else expanded


def _schema_of(annotation: ast.expr | None) -> dict[str, Any]:
    kind = _TYPES.get(_annotation(annotation))
    if isinstance(annotation, ast.Subscript) and _annotation(annotation) == "Literal":
        inner = annotation.slice
        values = [_literal(item) for item in (inner.elts if isinstance(inner, ast.Tuple) else [inner])]
        return {"enum": values} if all(_is_plain(value) for value in values) else {}
    if kind == "array" and isinstance(annotation, ast.Subscript):
        return {"type": "array", "items": _schema_of(annotation.slice)}
    return {"type": kind} if kind else {}


def _annotation(node: ast.expr | None) -> str:
    if isinstance(node, ast.Subscript):
        return _annotation(node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _literal(node: ast.expr | None) -> Any:
    if (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
    ):
        value = node.operand.value
        return -value if isinstance(value, int | float) and not isinstance(value, bool) else None
    return node.value if isinstance(node, ast.Constant) else None


def _is_plain(value: object) -> bool:
    """Say whether a literal is one that JSON and a database can hold."""
    if isinstance(value, str):
        return value == _storable(value)
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and -(2**63) <= value < 2**63


def _storable(text: str) -> str:
    return text.encode("utf-8", "ignore").decode().replace("\0", "")


def _told_of(name: str, docstring: str) -> str:
    """Return what a docstring's ``Args:`` section says of a parameter."""
    for line in docstring.splitlines():
        head, colon, text = line.strip().partition(":")
        if colon and head.partition(" ")[0] == name and len(text) < 500:
            return text.strip()
    return ""
