"""What gives way when a spool is full: log lines, and progress and outputs that a later report replaced.

Numbers never give way, because the Control Room applies reports only in unbroken order: the numbers of dropped
reports stay behind as gaps, and gaps that touch are one.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from controlroom.protocol.messages import Log, Output, Report
from controlroom.protocol.records import LogRecord
from controlroom.runner.spool.frames import Frame, Kind, Times, packed_times

_SPAN_LIMIT = 2**32 - 1  # the header's field
_reports = msgspec.msgpack.Decoder(Report)


def fold(frames: list[Frame]) -> list[Frame]:
    """Return the frames with all that may give way turned into gaps; the numbers covered stay the same."""
    return list(_merge(_give_way(frames)))


def gap(first: int, last: int, lines: int = 0, times: Times | None = None) -> Frame:
    """Return the gap that stands for these numbers, with the times of its first and last line."""
    return Frame(first, Kind.GAP, packed_times(times), lines, last - first + 1)


def joined_times(one: Times | None, other: Times | None) -> Times | None:
    """Return the times of two stretches of lines taken together."""
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])


def times_of(records: Sequence[LogRecord]) -> Times | None:
    """Return the times of some lines, oldest first; None where there are none."""
    return (records[0].time, records[-1].time) if records else None


def _give_way(frames: list[Frame]) -> Iterator[Frame]:
    kept = _newest_values(frames)
    for frame in frames:
        droppable = frame.kind in (Kind.LOG, Kind.PROGRESS, Kind.OUTPUT)
        if droppable and frame.number not in kept:
            yield gap(frame.number, frame.last, frame.lines, _times(frame))
        else:
            yield frame


def _times(frame: Frame) -> Times | None:
    if frame.kind is not Kind.LOG:
        return None
    body = _reports.decode(frame.payload).body
    return times_of(body.records) if isinstance(body, Log) else None


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
            lines, times = open_gap.lines + frame.lines, joined_times(open_gap.times, frame.times)
            open_gap = gap(open_gap.number, frame.last, lines, times)
    if open_gap is not None:
        yield open_gap
