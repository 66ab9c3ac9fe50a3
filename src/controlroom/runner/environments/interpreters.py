"""Finds a Python on this machine that satisfies what a bot asks for. None is ever downloaded."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from controlroom.runner.environments.errors import NoSuitablePython
from controlroom.runner.environments.uv import build_variables, uv_program

OLDEST = Version("3.9")
"""The SDK and the launcher need this."""
_SEARCH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python outside of any virtual environment: its program and its full version."""

    path: Path
    version: str


@cache
def own_interpreter() -> Interpreter:
    """Return the Python that this runner was installed with."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return Interpreter(Path(base).resolve(), ".".join(str(part) for part in sys.version_info[:3]))


class InterpreterFinder:
    """Finds interpreters and remembers them by specifier."""

    def __init__(self) -> None:
        self._found: dict[str, Interpreter] = {}

    async def find(self, specifier: str) -> Interpreter:
        """Return an interpreter for a PEP 440 specifier; empty means the runner's own. Raise `NoSuitablePython`."""
        own = own_interpreter()
        try:
            wanted = SpecifierSet(specifier)
        except InvalidSpecifier:
            raise NoSuitablePython(
                f"The bot asks for Python {specifier!r}, which is not a version specifier such as '>=3.11'."
            ) from None
        if wanted.contains(Version(own.version), prereleases=True):
            return own
        known = self._found.get(specifier)
        if known is None or not known.path.exists():
            known = self._found[specifier] = await _search(specifier, wanted)
        return known


async def _search(specifier: str, wanted: SpecifierSet) -> Interpreter:
    """Ask uv for all the interpreters it knows of and take the newest that fits."""
    listed = await _listed_by_uv()
    present = sorted(
        {
            (Version(item["version"]), item["path"])
            for item in listed
            if item.get("implementation") == "cpython"
        },
        reverse=True,
    )
    for version, path in present:
        if version >= OLDEST and wanted.contains(version, prereleases=version.is_prerelease):
            return Interpreter(_without_links(path), str(version))
    names = ", ".join(dict.fromkeys(str(version) for version, _ in present)) or own_interpreter().version
    raise NoSuitablePython(
        f"The bot asks for Python {specifier}, and this machine has only {names} (at least {OLDEST} is needed). "
        "Install a Python that fits on this machine, or send the run to one that has it."
    )


def _without_links(path: str) -> Path:
    """Return the true path; uv gives those below its working folder relative to that."""
    return Path(os.path.realpath(Path.home() / path))


async def _listed_by_uv() -> list[dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        uv_program(),
        *("python", "list", "--only-installed", "--no-python-downloads", "--output-format", "json"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=build_variables(),
        cwd=Path.home(),
    )
    try:
        async with asyncio.timeout(_SEARCH_SECONDS):
            answer, _ = await process.communicate()
        return [item for item in json.loads(answer) if isinstance(item, dict)]
    except (TimeoutError, ValueError):
        return []
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
