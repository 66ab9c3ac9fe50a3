"""What gives way when a spool is full: log lines, and progress and outputs that a later report replaced.

Numbers never give way, because the Control Room applies reports only in unbroken order: the numbers of dropped
reports stay behind as gaps, and gaps that touch are one.
"""

from collections.abc import Iterable, Iterator

import msgspec

from controlroom.protocol.messages import Output, Report
from controlroom.runner.spool.frames import Frame, Kind

_SPAN_LIMIT = 2**32 - 1  # the header's field
_reports = msgspec.msgpack.Decoder(Report)


def fold(frames: list[Frame]) -> list[Frame]:
    """Return the frames with all that may give way turned into gaps; the numbers covered stay the same."""
    return list(_merge(_give_way(frames)))


def gap(first: int, last: int, lines: int = 0) -> Frame:
    """Return the gap that stands for these numbers."""
    return Frame(first, Kind.GAP, b"", lines, last - first + 1)


def _give_way(frames: list[Frame]) -> Iterator[Frame]:
    kept = _newest_values(frames)
    for frame in frames:
        droppable = frame.kind in (Kind.LOG, Kind.PROGRESS, Kind.OUTPUT)
        yield gap(frame.number, frame.last, frame.lines) if droppable and frame.number not in kept else frame


def _newest_values(frames: list[Frame]) -> set[int]:
    """Find the numbers of the last progress and of the last value of each output: the only ones that count."""
    newest: dict[tuple[Kind, str], int] = {}
    for frame in frames:
        if frame.kind is Kind.PROGRESS:
            newest[Kind.PROGRESS, ""] = frame.number
        elif frame.kind is Kind.OUTPUT:
            body = _reports.decode(frame.payload).body
            newest[Kind.OUTPUT, body.name if isinstance(body, Output) else ""] = frame.number
    return set(newest.values())


def _merge(frames: Iterable[Frame]) -> Iterator[Frame]:
    open_gap: Frame | None = None
    for frame in frames:
        if frame.kind is not Kind.GAP:
            if open_gap is not None:
                yield open_gap
            open_gap = None
            yield frame
        elif open_gap is None:
            open_gap = frame
        elif open_gap.span + frame.span > _SPAN_LIMIT or open_gap.lines + frame.lines > _SPAN_LIMIT:
            yield open_gap
            open_gap = frame
        else:
            open_gap = gap(open_gap.number, frame.last, open_gap.lines + frame.lines)
    if open_gap is not None:
        yield open_gap
