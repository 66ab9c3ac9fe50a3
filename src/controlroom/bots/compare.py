"""Compares two packages file by file: what was added, removed and changed, with the changed lines where it is text."""

import difflib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from controlroom.bots.files import PackageFiles, digest, readable_text

MOST_CHANGES = 2_000
_DIFF_TEXT_BYTES = 128 * 1024
_DIFF_LINES = 2_000
_DIFF_CHARACTERS = 512 * 1024
_DIFF_SECONDS = 5.0
"""After this long no more differences are worked out; difflib may take the square of the number of lines."""
_CONTEXT_LINES = 3


class ChangeKind(StrEnum):
    """What became of a file."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that differs. ``diff`` is a unified diff; empty with a ``note`` that says why where there is none."""

    path: str
    kind: ChangeKind
    before_bytes: int | None
    after_bytes: int | None
    diff: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every file that differs, by path, and how many are the same; ``complete`` is False past `MOST_CHANGES`."""

    changes: tuple[FileChange, ...]
    same_files: int
    complete: bool = True


def compare_packages(before: PackageFiles, after: PackageFiles) -> Comparison:
    """Compare two packages; reads all files of equal size, so call it in a thread."""
    changes: list[FileChange] = []
    same = 0
    budget = _Budget(_DIFF_CHARACTERS, time.monotonic() + _DIFF_SECONDS)
    for path in sorted({*before.names(), *after.names()}):
        if len(changes) == MOST_CHANGES:
            return Comparison(tuple(changes), same, complete=False)
        change = _change(path, before, after, budget)
        if change is None:
            same += 1
        else:
            changes.append(change)
    return Comparison(tuple(changes), same)


@dataclass(slots=True)
class _Budget:
    """What may still be spent on differences."""

    characters: int
    until: float


def _change(path: str, before: PackageFiles, after: PackageFiles, budget: _Budget) -> FileChange | None:
    old = before.size_bytes(path) if before.is_file(path) else None
    new = after.size_bytes(path) if after.is_file(path) else None
    if old == new and digest(before, path) == digest(after, path):
        return None
    kind = ChangeKind.ADDED if old is None else ChangeKind.REMOVED if new is None else ChangeKind.CHANGED
    diff, note = _difference(path, before, after, budget)
    return FileChange(path, kind, old, new, diff, note)


def _difference(path: str, before: PackageFiles, after: PackageFiles, budget: _Budget) -> tuple[str, str]:
    texts = [
        readable_text(files, path, _DIFF_TEXT_BYTES) if files.is_file(path) else ""
        for files in (before, after)
    ]
    old, new = texts
    if old is None or new is None:
        return "", "too large to show, or not text"
    if budget.characters <= 0 or time.monotonic() > budget.until:
        return "", "not shown: there are too many changes"
    if max(old.count("\n"), new.count("\n")) > _DIFF_LINES:
        return "", "not shown: it has too many lines"
    told = "".join(_unified(path, old, new))
    budget.characters -= len(told)
    return told, "" if told else "only its line ends or byte order mark differ"


def _unified(path: str, old: str, new: str) -> Iterator[str]:
    lines = difflib.unified_diff(
        old.splitlines(keepends=True),
        new.splitlines(keepends=True),
        f"a/{path}",
        f"b/{path}",
        n=_CONTEXT_LINES,
    )
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
