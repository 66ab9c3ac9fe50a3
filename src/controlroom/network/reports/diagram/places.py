"""Where the boxes of the picture stand: three columns with a channel for lines between each two of them.

All lengths are in pixels. What a text takes is reckoned from its letters, so that the picture needs no font to be laid
out and is the same everywhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controlroom.network.catalogue import Component
from controlroom.network.reports.diagram.parts import Column, Part, Picture, Row

MARGIN = 24
PADDING = 12
LINE = 20
LANE = 10
CHANNEL_SIDE = 18
_TITLE = 28
_NAMES = 16
_INNER_HEAD = 22
_FOOT = 8
_GAP = 14
_TOP = 74
_NARROWEST = 150
# The mean widths of letters of the sans and monospace fonts at the sizes that `svg` sets.
_BOLD, _PLAIN, _MONO, _SMALL = 7.6, 6.5, 7.3, 6.0


@dataclass(frozen=True, slots=True)
class Box:
    """Where a part stands; ``rows`` are the heights at which its rows are called, ``leaving`` where its calls begin."""

    part: Part
    x: int
    y: int
    width: int
    height: int
    application_x: int
    rows: Mapping[Row, int]
    inner_y: int

    @property
    def leaving(self) -> int:
        """The height at which this part's own lines leave."""
        return self.y + _TITLE // 2

    @property
    def right(self) -> int:
        """The right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The bottom edge."""
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Placed:
    """The boxes, the left edges and widths of the columns, and the height where lines pass the middle column."""

    boxes: Mapping[str, Box]
    columns: tuple[tuple[int, int], ...]
    passage: int
    width: int
    bottom: int


def place(picture: Picture) -> Placed:
    """Return where everything stands, with as many lanes in the channels as there are callers."""
    parts = {column: [part for part in picture.parts if part.column is column] for column in Column}
    columns = _columns(picture, parts)
    passing = len(passing_sources(picture))
    boxes: dict[str, Box] = {}
    passage = _TOP
    for column in Column:
        top = _TOP
        for part in parts[column]:
            if column is Column.MIDDLE and part.key == Component.HOST:
                passage, top = top, top + passing * LANE + _GAP
            box = _box(part, *columns[column], top, _ports_width(parts[column]))
            boxes[part.key] = box
            top = box.bottom + _GAP
        if column is Column.MIDDLE and str(Component.HOST) not in boxes:
            passage, top = top, top + passing * LANE + _GAP
    last_x, last_width = columns[-1]
    bottom = max([passage + passing * LANE, *(box.bottom for box in boxes.values())])
    return Placed(boxes, columns, passage + LANE // 2, last_x + last_width + MARGIN, bottom)


def passing_sources(picture: Picture) -> list[str]:
    """Return the parts that call from one side of the middle column to the other, in order."""
    column = {part.key: part.column for part in picture.parts}
    found = {call.source for call in picture.calls if abs(column[call.source] - column[call.target]) > 1}
    return [part.key for part in picture.parts if part.key in found]


def _columns(picture: Picture, parts: Mapping[Column, list[Part]]) -> tuple[tuple[int, int], ...]:
    column = {part.key: part.column for part in picture.parts}
    lanes = [
        len({call.source for call in picture.calls if _uses(channel, call.source, call.target, column)})
        for channel in (0, 1)
    ]
    found, x = [], MARGIN
    for one, count in zip(Column, [*lanes, 0], strict=True):
        width = max([_NARROWEST, *(_width(part, _ports_width(parts[one])) for part in parts[one])])
        found.append((x, width))
        x += width + 2 * CHANNEL_SIDE + max(count - 1, 0) * LANE
    return tuple(found)


def _uses(channel: int, source: str, target: str, column: Mapping[str, Column]) -> bool:
    return channel in channels_between(column[source], column[target])


def channels_between(source: Column, target: Column) -> tuple[int, ...]:
    """Return the channels that a line takes, in order: 0 is that between left and middle, 1 that right of the middle."""
    if source is target:
        return (0,) if source is Column.LEFT else (1,)
    between = tuple(range(min(source, target), max(source, target)))
    return between if source < target else between[::-1]


def _ports_width(parts: Iterable[Part]) -> int:
    return round(max([0, *(len(row.ports) for part in parts for row in part.rows)]) * _MONO) + PADDING


def _width(part: Part, ports: int) -> int:
    texts = [len(part.title) * _BOLD, len(part.names) * _SMALL]
    texts += [ports + len(row.application) * _PLAIN for row in part.rows]
    return round(max(texts)) + 2 * PADDING


def _box(part: Part, x: int, width: int, top: int, ports: int) -> Box:
    y = top + _TITLE + (_NAMES if part.names else 0)
    rows: dict[Row, int] = {}
    inner_y = 0
    for row in part.rows:
        if row.inner and not inner_y:
            inner_y = y + _FOOT // 2
            y = inner_y + _INNER_HEAD
        rows[row] = y + LINE // 2
        y += LINE
    height = y - top + (_FOOT if part.rows else 0)
    return Box(part, x, top, width, height, x + PADDING + ports, rows, inner_y)
