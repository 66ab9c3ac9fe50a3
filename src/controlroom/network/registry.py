"""Finds interchangeable parts: every module of a package that names its part in one constant."""

import pkgutil
from difflib import get_close_matches
from importlib import import_module
from types import ModuleType
from typing import Protocol, TypeVar

from controlroom.network.errors import UnknownName


class Named(Protocol):
    """A part with a name of its own."""

    @property
    def name(self) -> str:
        """What people call the part."""
        ...


Part = TypeVar("Part", bound=Named)


def find_parts(package: ModuleType, constant: str, kind: type[Part]) -> dict[str, Part]:
    """Import a package's modules and return the parts they name by the constant, sorted by name.

    A module without the constant is a part of another module; one may name several parts, in a tuple. ``kind`` is the
    protocol that the caller vouches for.
    """
    found: dict[str, Part] = {}
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda one: one.name):
        named: Part | tuple[Part, ...] = getattr(
            import_module(f"{package.__name__}.{module.name}"), constant, ()
        )
        for part in named if isinstance(named, tuple) else (named,):
            found[part.name] = part
    return dict(sorted(found.items()))


def pick(parts: dict[str, Part], kind: str, name: str) -> Part:
    """Return one part by name; raise `UnknownName` with the nearest known one."""
    if name not in parts:
        close = get_close_matches(name, parts, n=1)
        raise UnknownName(kind, name, close[0] if close else None)
    return parts[name]
