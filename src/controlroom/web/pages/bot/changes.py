"""How a changed file is shown: its diff line by line, and how many lines came and went."""

from collections.abc import Sequence
from dataclasses import dataclass

from controlroom.bots.compare import FileChange


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a unified diff; ``kind`` is ``added``, ``removed``, ``place`` or ``same``."""

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class ShownChange:
    """A file that differs."""

    change: FileChange
    lines: Sequence[DiffLine]
    added: int
    removed: int


def shown_change(change: FileChange) -> ShownChange:
    """Take a file's unified diff apart; its two lines of names are left out."""
    lines = [DiffLine(text, _kind(text)) for text in change.diff.split("\n")[2:] if text]
    added = sum(1 for line in lines if line.kind == "added")
    removed = sum(1 for line in lines if line.kind == "removed")
    return ShownChange(change, lines, added, removed)


def _kind(text: str) -> str:
    return {"+": "added", "-": "removed", "@": "place", "\\": "place"}.get(text[0], "same")
