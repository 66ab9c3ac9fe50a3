"""Package formats, one file each. A module here that has a ``FORMAT`` is a format; adding one edits nothing else."""

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache
from typing import Protocol

from controlroom.bots.errors import UnknownFormat
from controlroom.bots.files import PackageFiles
from controlroom.bots.manifest import Manifest


class PackageFormat(Protocol):
    """Reads packages of one format."""

    @property
    def name(self) -> str:
        """The format's short name, kept with every version."""
        ...

    @property
    def title(self) -> str:
        """What people call a package of this format."""
        ...

    @property
    def order(self) -> int:
        """Formats of a lower number are asked first; the more particular a format, the lower."""
        ...

    @property
    def sign(self) -> str:
        """By what a package of this format is known, for people."""
        ...

    def read(self, files: PackageFiles) -> Manifest | None:
        """Return what the package declares, or None where it is not of this format.

        Raises `DeclarationInvalid`, naming file and key, where it is of this format and something cannot stand.
        """
        ...

    def exclusions(self, files: PackageFiles) -> Sequence[str] | None:
        """Return what the author wants left out when packing, as lines of a ``.gitignore``.

        None means that the format has no say, and ``.gitignore`` counts.
        """
        ...


@cache
def formats() -> tuple[PackageFormat, ...]:
    """Return every format, in the order in which they are asked."""
    found: list[PackageFormat] = []
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        if hasattr(loaded, "FORMAT"):
            found.append(loaded.FORMAT)
    return tuple(sorted(found, key=lambda candidate: candidate.order))


def title_of(name: str) -> str:
    """Return what people call packages of a format; its short name where this server does not know it any more."""
    return next((candidate.title for candidate in formats() if candidate.name == name), name)


def read_package(files: PackageFiles) -> Manifest:
    """Return what a package declares, by the first format that knows it.

    Raises `UnknownFormat` where none does, `DeclarationInvalid` where one does and something cannot stand.
    """
    for candidate in formats():
        manifest = candidate.read(files)
        if manifest is not None:
            return manifest
    known = "; ".join(f"{candidate.name}: {candidate.sign}" for candidate in formats())
    raise UnknownFormat(
        f"Nothing in the package says how to run it. A package has one of these at its top. {known}."
    )
