"""Finding a Python on this machine."""

import sys
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from controlroom.runner.environments.interpreters import InterpreterFinder, _search, own_interpreter


async def test_own_interpreter_serves_where_it_fits() -> None:
    finder = InterpreterFinder()

    assert await finder.find("") == await finder.find(">=3.9") == own_interpreter()
    assert own_interpreter().path.exists()


async def test_interpreter_below_the_home_folder_is_found_by_its_whole_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = own_interpreter()
    monkeypatch.setenv("HOME", str(own.path.parents[1]))
    monkeypatch.setenv("PATH", str(own.path.parent))
    specifier = f"=={sys.version_info[0]}.{sys.version_info[1]}.*"

    found = await _search(specifier, SpecifierSet(specifier))

    assert found.path.is_absolute()
    assert Path(found.path).exists()
