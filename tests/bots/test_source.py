import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.conftest import MakePackage
from controlroom.bots.source import SourceFault, bound_names, module_file, parsed, python_path, task_functions


def names(source: str) -> set[str]:
    module = parsed(source)
    assert isinstance(module, ast.Module)
    return set(bound_names(module))


def test_what_a_module_binds_is_found_wherever_it_stands() -> None:
    source = """
import os.path, sys as system
from a import b, c as d
x = y = 1
z: int = 2
def f(): inner = 1
async def g(): ...
class C: attribute = 1
try:
    from fast import h
except ImportError:
    def h(): ...
if x:
    i = 1
else:
    with open(x) as _:
        j = 1
match x:
    case 1:
        k = 1
"""
    assert names(source) == {"os", "system", "b", "d", "x", "y", "z", "f", "g", "C", "h", "i", "j", "k"}


@pytest.mark.parametrize(
    "source",
    ["def", "x = \0", "(" * 5000, "-" * 200_000 + "1", "[" * 90, "x" + "." * 5, "a = 1" * 3, "\ud800 = 1"],
)
def test_hostile_source_is_a_fault_and_no_crash(source: str) -> None:
    assert isinstance(parsed(source), SourceFault)


@given(st.text(max_size=100))
def test_any_text_is_parsed_or_a_fault(source: str) -> None:
    assert isinstance(parsed(source), ast.Module | SourceFault)


def test_modules_are_found_at_the_top_and_below_src(package: MakePackage) -> None:
    files = package({"a.py": "", "src/pkg/__init__.py": "", "src/pkg/cli.py": ""})
    assert module_file(files, "a") == ("a.py", ".")
    assert module_file(files, "pkg") == ("src/pkg/__init__.py", "src")
    assert module_file(files, "pkg.cli") == ("src/pkg/cli.py", "src")
    assert module_file(files, "other") is None
    assert python_path(files) == (".", "src")


def test_defaults_that_no_database_could_hold_are_left_out(package: MakePackage) -> None:
    text = '@task\ndef f(a="x\\0", b="\\ud800", c=-5, d=1e999, e=None, g=10**99):\n    """Does \\0 it."""\n'
    (function,) = task_functions(package({"a.py": text}), ("task",))
    assert {name: schema.get("default") for name, schema in function.inputs["properties"].items()} == {
        "a": None, "b": None, "c": -5, "d": None, "e": None, "g": None,
    }  # fmt: skip
    assert "required" not in function.inputs
    assert function.description == "Does  it."
