"""The files of a journal: each holds an unbroken stretch of numbers and is named by the first of them."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from controlroom.runner.spool.folding import gap
from controlroom.runner.spool.frames import Frame, Kind, header, read_frames

_SUFFIX = ".spool"
_ASIDE = ".aside"


@dataclass(slots=True)
class Segment:
    """One file. ``last`` is ``first - 1`` while it is empty; ``folded`` once nothing more in it can give way."""

    path: Path
    first: int
    last: int
    size: int
    folded: bool = False
    ended: bool = False
    """Whether the attempt's last report is in it."""


def new_segment(folder: Path, first: int) -> Segment:
    """Describe a segment that begins with this number; the file itself is made by the first write."""
    return Segment(folder / f"{first:020d}{_SUFFIX}", first, first - 1, 0)


def load(segment: Segment) -> list[Frame]:
    """Read a whole segment; numbers that damage has made unreadable come back as a gap."""
    return list(load_from(segment, segment.first, 0))


def load_from(segment: Segment, number: int, offset: int) -> Iterator[Frame]:
    """Give the frames from ``number`` on, which begins at ``offset`` bytes; damage comes back as a gap."""
    with segment.path.open("rb") as file:
        file.seek(offset)
        for _, frame in read_frames(file):
            if frame.number != number:
                break
            number = frame.last + 1
            yield frame
    if number <= segment.last:
        yield gap(number, segment.last)


def rewrite(segment: Segment, frames: Iterable[Frame]) -> None:
    """Replace a segment's content as a whole: written aside, synced and renamed into place."""
    aside = segment.path.with_suffix(_ASIDE)
    size = 0
    with aside.open("wb") as file:
        for frame in frames:
            file.write(header(frame))
            file.write(frame.payload)
            size += frame.size
            segment.last = frame.last
            segment.ended = segment.ended or frame.kind is Kind.ENDED
        file.flush()
        os.fsync(file.fileno())
    aside.replace(segment.path)
    segment.size = size


def recover(folder: Path) -> list[Segment]:
    """Find the segments that an earlier process left and mend them.

    A torn tail is cut off; numbers that are missing between two segments become a gap, so that what follows can
    still be delivered; a segment whose content was folded into the one before it is removed.
    """
    for aside in folder.glob(f"*{_ASIDE}"):
        aside.unlink()
    segments: list[Segment] = []
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        first = _first_number(path)
        before = segments[-1] if segments else None
        if first is None or (before is not None and first <= before.last):
            path.unlink()
            continue
        if before is not None and before.last + 1 < first:
            _append_gap(before, first - 1)
        segments.append(_scan(path, first))
    return segments


def _first_number(path: Path) -> int | None:
    return int(path.stem) if path.stem.isascii() and path.stem.isdigit() and int(path.stem) > 0 else None


def _scan(path: Path, first: int) -> Segment:
    segment = Segment(path, first, first - 1, 0)
    with path.open("rb") as file:
        for size, frame in read_frames(file):
            if frame.number != segment.last + 1:
                break
            segment.last = frame.last
            segment.size += size
            segment.ended = segment.ended or frame.kind is Kind.ENDED
    if path.stat().st_size > segment.size:
        os.truncate(path, segment.size)
    return segment


def _append_gap(segment: Segment, last: int) -> None:
    missing = gap(segment.last + 1, last)
    with segment.path.open("ab") as file:
        file.write(header(missing))
    segment.last = missing.last
    segment.size += missing.size
