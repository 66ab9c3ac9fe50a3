"""Writes the picture as SVG, with colours for light and dark, or with classes that a page gives its own."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from controlroom.network.catalogue import Component
from controlroom.network.reports.diagram.parts import Picture
from controlroom.network.reports.diagram.places import LINE, MARGIN, PADDING, Box, Placed
from controlroom.network.reports.diagram.routes import Point, Route

_CORNER = 5.0
_TIP = 7
_TIP_HALF = 2.6
_LEGEND = 52
_HEADINGS = ("Who calls", "The Control Room", "What stands around it")
_KINDS = (
    ("by-client", "opened by a client or a neighbour"),
    ("by-control-room", "opened by the Control Room or its balancer"),
    ("by-host", "opened by every host"),
)
_LIGHT = {
    "page": "#ffffff",
    "text": "#182024",
    "soft": "#46545b",
    "faint": "#5c6a71",
    "box": "#f5f7f8",
    "edge": "#b4bfc4",
    "own": "#e0f0ef",
    "own-edge": "#0a6565",
    "client": "#3d6fb5",
    "control-room": "#0a6565",
    "host": "#87949a",
}
_DARK = {
    "page": "#171c1f",
    "text": "#e4e9eb",
    "soft": "#b0bbc0",
    "faint": "#96a3a9",
    "box": "#20272a",
    "edge": "#4a565c",
    "own": "#143634",
    "own-edge": "#57c2b9",
    "client": "#85b4ff",
    "control-room": "#57c2b9",
    "host": "#7f8d94",
}
_RULES = (
    ".page{fill:var(--page)}"
    "text{font:12px system-ui,'Segoe UI',Roboto,'Noto Sans','Liberation Sans',sans-serif;fill:var(--text)}"
    ".heading{font-size:13px;fill:var(--faint);letter-spacing:.02em}.title{font-size:16px;font-weight:600}"
    ".name{font-size:13px;font-weight:600}.who,.note{font-size:11px;fill:var(--soft)}"
    ".port{font-family:ui-monospace,'Cascadia Mono','SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace}"
    ".box{fill:var(--box);stroke:var(--edge)}.cluster{fill:var(--own);stroke:var(--own-edge)}"
    ".inner{fill:none;stroke:var(--own-edge);stroke-dasharray:4 3}"
    ".flow{fill:none;stroke-width:1.3}.flow:hover{stroke-width:3}"
    + "".join(
        f".flow.by-{kind}{{stroke:var(--{kind})}}.tip.by-{kind}{{fill:var(--{kind})}}"
        for kind in ("client", "control-room", "host")
    )
)


def write(picture: Picture, placed: Placed, routes: Sequence[Route], *, styled: bool) -> str:
    """Return the whole SVG, lines beneath boxes."""
    width, height = placed.width, placed.bottom + _LEGEND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(picture.title)}</title>",
        *(_background(width, height) if styled else ()),
        _text("title", MARGIN, 32, picture.title),
        *(
            _text("heading", x, 60, heading)
            for (x, _), heading in zip(placed.columns, _HEADINGS, strict=True)
        ),
        *(_line(one) for one in routes),
        *(line for box in placed.boxes.values() for line in _box(box)),
        *_legend(placed.bottom + 30),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _background(width: int, height: int) -> Iterator[str]:
    light, dark = (
        "".join(f"--{name}:{value};" for name, value in palette.items()) for palette in (_LIGHT, _DARK)
    )
    yield f"<style>svg{{{light}}}@media (prefers-color-scheme:dark){{svg{{{dark}}}}}{_RULES}</style>"
    yield f'<rect class="page" width="{width}" height="{height}"/>'


def _line(one: Route) -> str:
    call = one.call
    (x, y), (before, _) = one.points[-1], one.points[-2]
    back = -_TIP if before < x else _TIP
    said = f"{call.source} calls {call.target} on {call.row.ports}: {call.purpose}"
    kind = _kind(call.source)
    return (
        f'<g><title>{escape(said)}</title><path class="flow {kind}" d="{_path(one.points)}"/>'
        f'<path class="tip {kind}" d="M{_n(x)},{_n(y)}l{back},{_n(-_TIP_HALF)}v{_n(2 * _TIP_HALF)}z"/></g>'
    )


def _kind(source: str) -> str:
    if source in {Component.CONTROL_ROOM, Component.LOAD_BALANCER}:
        return "by-control-room"
    return "by-host" if source == Component.HOST else "by-client"


def _path(points: Sequence[Point]) -> str:
    """Return a path through the corners, each of them rounded as far as its two legs have room."""
    corners = [point for place, point in enumerate(points) if place == 0 or point != points[place - 1]]
    legs = [max(abs(x2 - x1), abs(y2 - y1)) for (x1, y1), (x2, y2) in pairwise(corners)]
    path = f"M{_n(corners[0][0])},{_n(corners[0][1])}"
    for place in range(1, len(corners) - 1):
        corner = corners[place]
        radius = min(_CORNER, legs[place - 1] / 2, legs[place] / 2)
        start, end = _toward(corner, corners[place - 1], radius), _toward(corner, corners[place + 1], radius)
        path += f"L{_n(start[0])},{_n(start[1])}Q{_n(corner[0])},{_n(corner[1])} {_n(end[0])},{_n(end[1])}"
    return path + f"L{_n(corners[-1][0])},{_n(corners[-1][1])}"


def _toward(start: Point, end: Point, length: float) -> Point:
    (x1, y1), (x2, y2) = start, end
    far = max(abs(x2 - x1), abs(y2 - y1))
    return x1 + (x2 - x1) / far * length, y1 + (y2 - y1) / far * length


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _box(box: Box) -> Iterator[str]:
    part = box.part
    kind = "cluster" if part.key == Component.CONTROL_ROOM else "box"
    yield _frame(kind, box.x, box.y, box.width, box.height)
    yield _text("name", box.x + PADDING, box.leaving + 4, part.title)
    if part.names:
        yield _text("who", box.x + PADDING, box.leaving + 21, part.names)
    if box.inner_y:
        yield _frame("inner", box.x + 6, box.inner_y, box.width - 12, box.bottom - box.inner_y - 6)
        yield _text("note", box.x + PADDING, box.inner_y + 15, f"open among {part.key} hosts alone")
    for row, y in box.rows.items():
        yield _text("port", box.x + PADDING, y + 4, row.ports)
        yield _text("", box.application_x, y + 4, row.application)


def _legend(y: int) -> Iterator[str]:
    x = MARGIN
    for kind, words in _KINDS:
        yield f'<path class="flow {kind}" d="M{x},{y - 4}h26"/>'
        yield f'<path class="tip {kind}" d="M{x + 32},{y - 4}l-7,{-_TIP_HALF}v{2 * _TIP_HALF}z"/>'
        yield _text("note", x + 40, y, words)
        x += 64 + round(len(words) * 6.0)
    yield _frame("inner", x, y - 12, 26, LINE - 4)
    yield _text("note", x + 34, y, "closed to all others")


def _frame(kind: str, x: int, y: int, width: int, height: int) -> str:
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'


def _text(kind: str, x: int, y: float, words: str) -> str:
    styled = f'class="{kind}" ' if kind else ""
    return f'<text {styled}x="{x}" y="{_n(y)}">{escape(words)}</text>'
