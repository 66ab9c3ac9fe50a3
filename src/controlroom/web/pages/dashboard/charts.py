"""The dashboard's charts: columns laid out for SVG, each with the list behind it and the one sentence that the chart says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from controlroom.insight.figures import BROKEN
from controlroom.insight.trends import Period, Span
from controlroom.runs.states import State
from controlroom.web.wording import count, duration

WIDTH, HEIGHT = 480, 96
"""A chart's size in its own units."""
_GAP_SHARE = 0.22
_LEAST_HEIGHT = 2.0
_QUICKER, _SLOWER = 0.8, 1.25
"""Shares of the time before from which a change is worth a word."""


@dataclass(frozen=True, slots=True)
class Block:
    """A coloured piece of a column."""

    x: float
    y: float
    width: float
    height: float
    tone: str


@dataclass(frozen=True, slots=True)
class Column:
    """One hour or day: its pieces, what it says on hover, and the list behind it."""

    x: float
    width: float
    title: str
    path: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart. ``message`` is what it says; ``top`` is what its upper edge stands for."""

    name: str
    title: str
    message: str
    top: str
    columns: Sequence[Column]
    first: datetime
    is_empty: bool
    path: str
    """The list behind the whole chart; its columns lead to their own hours."""


def charts(spans: Sequence[Span], period: Period, now: datetime, slots: int) -> list[Chart]:
    """Return the four charts of a period."""
    return [
        _outcomes(spans, period),
        _times(
            "took", "Time that runs take", spans, period, lambda span: span.took_seconds, "state:succeeded"
        ),
        _times("waited", "Time that runs wait", spans, period, lambda span: span.waited_seconds, ""),
        _use(spans, period, now, slots),
    ]


def _outcomes(spans: Sequence[Span], period: Period) -> Chart:
    failed = [sum(span.outcomes.get(state, 0) for state in BROKEN) for span in spans]
    cancelled = [span.outcomes.get(State.CANCELLED, 0) for span in spans]
    succeeded = [span.outcomes.get(State.SUCCEEDED, 0) for span in spans]
    total, broken = sum(failed) + sum(cancelled) + sum(succeeded), sum(failed)
    top = max((sum(each) for each in zip(failed, cancelled, succeeded, strict=True)), default=0)
    columns = []
    for index, span in enumerate(spans):
        parts = ((succeeded[index], "succeeded"), (cancelled[index], "waiting"), (failed[index], "failed"))
        words = f"{_when(span, period)}: {count(succeeded[index])} succeeded, {count(failed[index])} failed"
        words += f", {count(cancelled[index])} cancelled" if cancelled[index] else ""
        columns.append(_column(index, len(spans), parts, top, words, _runs_path([span], "")))
    message = f"{count(total)} {'run' if total == 1 else 'runs'} ended" + (
        f", {count(broken)} of them failed ({_percent(broken, total)})." if broken else "; none failed."
    )
    return Chart("outcomes", "Runs that ended", message if total else "No run ended.", count(top), columns,
                 spans[0].begun, total == 0, _runs_path(spans, ""))  # fmt: skip


def _times(
    name: str,
    title: str,
    spans: Sequence[Span],
    period: Period,
    seconds_of: Callable[[Span], float | None],
    state: str,
) -> Chart:
    values = [seconds_of(span) for span in spans]
    top = max((value for value in values if value is not None), default=0.0)
    columns = []
    for index, (span, value) in enumerate(zip(spans, values, strict=True)):
        words = f"{_when(span, period)}: {'nothing' if value is None else f'typically {duration(value)}'}"
        columns.append(
            _column(index, len(spans), ((value or 0.0, "accent"),), top, words, _runs_path([span], state))
        )
    path = _runs_path(spans, state)
    return Chart(
        name, title, _time_message(name, values), duration(top), columns, spans[0].begun, top == 0, path
    )


def _time_message(name: str, values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "No run succeeded." if name == "took" else "No run started."
    half = len(values) // 2
    before, after = _middle(values[:half]), _middle(values[half:])
    now = after if after is not None else before
    verb = "takes" if name == "took" else "waits"
    words = f"A run typically {verb} {duration(now or 0)}"
    if before is None or after is None or _QUICKER <= after / before <= _SLOWER:
        return f"{words}."
    return f"{words}, {'less' if after < before else 'more'} than the {duration(before)} before."


def _middle(values: Sequence[float | None]) -> float | None:
    known = sorted(value for value in values if value is not None)
    return known[len(known) // 2] if known else None


def _use(spans: Sequence[Span], period: Period, now: datetime, slots: int) -> Chart:
    values = [span.busy_slots(now) for span in spans]
    top = max(values, default=0.0)
    columns = []
    for index, (span, value) in enumerate(zip(spans, values, strict=True)):
        words = f"{_when(span, period)}: {value:.1f} slots taken on average"
        columns.append(_column(index, len(spans), ((value, "running"),), top, words, "/devices"))
    average = sum(values) / len(values) if values else 0.0
    if not average:
        message = "No slot was taken."
    elif slots:
        message = f"On average {_percent(average, slots)} of the {count(slots)} slots were taken."
    else:
        message = f"{average:.1f} slots were taken on average."
    return Chart(
        "use", "Use of devices", message, f"{top:.1f}", columns, spans[0].begun, not any(values), "/devices"
    )


def _column(
    index: int, of: int, parts: Sequence[tuple[float, str]], top: float, title: str, path: str
) -> Column:
    step = WIDTH / of
    x, width = step * index + step * _GAP_SHARE / 2, step * (1 - _GAP_SHARE)
    blocks, base = [], float(HEIGHT)
    for value, tone in parts:
        if value <= 0 or top <= 0:
            continue
        height = max(_LEAST_HEIGHT, value / top * HEIGHT)
        base -= height
        blocks.append(
            Block(round(x, 1), round(max(base, 0.0), 1), round(width, 1), round(min(height, HEIGHT), 1), tone)
        )
    return Column(round(step * index, 1), round(step, 1), title, path, blocks)


def _runs_path(spans: Sequence[Span], state: str) -> str:
    words = f"{state} ended>={_iso(spans[0].begun)} ended<{_iso(spans[-1].ended)}".strip()
    return f"/activity?{urlencode({'filter': words})}"


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%MZ}"


def _when(span: Span, period: Period) -> str:
    if period is Period.DAY:
        return f"{span.begun:%H:%M}–{span.ended:%H:%M} UTC"
    return f"{span.begun:%a %d %b}"


def _percent(part: float, whole: int) -> str:
    share = part / whole * 100
    return f"{share:.0f} %" if share >= 1 else "under 1 %"
