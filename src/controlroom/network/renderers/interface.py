"""What a renderer takes and gives."""

from dataclasses import dataclass
from typing import Protocol

from controlroom.network.errors import CannotExpress
from controlroom.network.projection import Projection, Scope

# Every rule, table, chain and set of ours carries this, and nothing without it is touched.
TAG = "controlroom"


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """One file of a rendering. ``is_rules`` marks what is read back for the proof, as against scripts beside it."""

    name: str
    text: str
    is_rules: bool = True
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Rendering:
    """The files for one firewall, stable to the byte for the same projection."""

    target: str
    files: tuple[RenderedFile, ...]


class Renderer(Protocol):
    """Writes one kind of firewall's own language. It refuses what that language cannot say exactly."""

    @property
    def name(self) -> str:
        """The name by which ``--target`` chooses the renderer."""
        ...

    @property
    def title(self) -> str:
        """What the target is, in a few words."""
        ...

    @property
    def scopes(self) -> frozenset[Scope]:
        """Where such a firewall can stand."""
        ...

    @property
    def parser(self) -> str:
        """The parser that reads the rendering back; empty where there is none, and then nothing is proved."""
        ...

    def render(self, projection: Projection) -> Rendering:
        """Return the files; raise `CannotExpress`, before anything is written, with the reason and the numbers."""
        ...


def refuse_symbolic(projection: Projection, target: str) -> None:
    """Raise `CannotExpress` where the target matches addresses and the far side of a flow is known by name or tag alone.

    Only directions that the policy filters count: what goes out unfiltered needs no rule.
    """
    for direction, one, party in projection.named():
        raise CannotExpress(
            f"{target} matches addresses, and {direction} flow {one.flow!r} needs {party.name!r}, which is known only as "
            f"{', '.join(party.names) or party.service_tag}; give [external.{party.name}] prefixes = [...]"
        )
