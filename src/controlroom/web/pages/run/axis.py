"""The run's one time axis: its attempts by state, how dense its log is, and its pictures, all on the same scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from controlroom.protocol.records import Level
from controlroom.runs.models import Artifact, HistoryKind
from controlroom.runs.queries import LogStretch
from controlroom.runs.schemas import AttemptOut, RunDetailOut
from controlroom.runs.states import ENDED, State
from controlroom.runs.usage import Sample

UNITS = 1000
"""The axis' length in its own units."""
BARS = 125
BAR_HEIGHT = 24
_LEAST_WIDTH = 2
_TICKS = 5
PICTURE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the time that was spent in one state."""

    state: State
    seconds: float
    offset: int
    width: int


@dataclass(frozen=True, slots=True)
class Lane:
    """One attempt, or the time before it and between two, in which the run waited."""

    title: str
    number: int | None
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """The lines that came in one part of the time; ``height`` is of `BAR_HEIGHT`."""

    offset: float
    height: float
    lines: int
    tone: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A picture and when it came."""

    artifact: Artifact
    offset: int
    after_seconds: float


@dataclass(frozen=True, slots=True)
class Step:
    """What was used in one stretch of the time; ``height`` is of `BAR_HEIGHT`, ``value`` what it stands for."""

    offset: int
    width: int
    height: float
    value: float


@dataclass(frozen=True, slots=True)
class Axis:
    """Everything that is drawn on one scale. ``processors`` and ``memory`` each fill their row at their peak."""

    seconds: float
    lanes: tuple[Lane, ...]
    bars: tuple[Bar, ...]
    processors: tuple[Step, ...]
    memory: tuple[Step, ...]
    marks: tuple[Mark, ...]

    @property
    def peak_processors(self) -> float:
        """The most processors that were kept busy over the length of one sample."""
        return max((step.value for step in self.processors), default=0)

    @property
    def peak_memory_bytes(self) -> int:
        """The most memory that was resident at once."""
        return int(max((step.value for step in self.memory), default=0))

    @property
    def ticks(self) -> list[float]:
        """Seconds after the request, at even steps from the beginning to the end."""
        return [self.seconds * step / (_TICKS - 1) for step in range(_TICKS)]


def axis_of(
    run: RunDetailOut,
    log: Sequence[LogStretch],
    usage: Sequence[Sample],
    artifacts: Sequence[Artifact],
    now: datetime,
) -> Axis:
    """Lay a run out on its axis, from its request to its end, or to now while it lives."""
    end = run.ended_at or max(now, run.created_at)
    scale = _Scale(run.created_at, max((end - run.created_at) / timedelta(seconds=1), 0.001))
    lanes = [_waiting(run, end, scale), *(_lane(run, attempt, end, scale) for attempt in run.attempts)]
    pictures = [artifact for artifact in artifacts if artifact.media_type in PICTURE_TYPES]
    marks = [
        Mark(each, scale.at(each.created_at), max(0.0, (each.created_at - run.created_at).total_seconds()))
        for each in sorted(pictures, key=lambda each: each.created_at)
    ]
    return Axis(
        scale.seconds,
        tuple(lane for lane in lanes if lane.stretches),
        _bars(log, scale),
        _steps([(sample, sample.processors) for sample in usage], scale),
        _steps([(sample, float(sample.memory_bytes)) for sample in usage], scale),
        tuple(marks),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    begun: datetime
    seconds: float

    def at(self, moment: datetime) -> int:
        place = (moment - self.begun).total_seconds() / self.seconds * UNITS
        return round(min(max(place, 0), UNITS))

    def stretch(self, state: State, begun: datetime, ended: datetime) -> Stretch:
        offset = min(self.at(begun), UNITS - _LEAST_WIDTH)
        width = max(_LEAST_WIDTH, self.at(ended) - offset)
        return Stretch(state, max(0.0, (ended - begun).total_seconds()), offset, width)


def _waiting(run: RunDetailOut, end: datetime, scale: _Scale) -> Lane:
    """Return when the run was in the queue."""
    found = []
    changes = [row for row in run.history if row.kind is HistoryKind.STATE and row.state]
    for index, row in enumerate(changes):
        if row.state is State.QUEUED:
            until = changes[index + 1].time if index + 1 < len(changes) else end
            found.append(scale.stretch(State.QUEUED, row.time, until))
    return Lane("Waiting", None, tuple(found))


def _lane(run: RunDetailOut, attempt: AttemptOut, end: datetime, scale: _Scale) -> Lane:
    until = attempt.ended_at or end
    changes = [
        (row.time, row.state)
        for row in run.history
        if row.attempt_id == attempt.id and row.kind is HistoryKind.STATE and row.state
    ]
    living = [(time, state) for time, state in changes if state not in ENDED and state is not State.QUEUED]
    found = []
    for index, (time, state) in enumerate(living):
        ended = living[index + 1][0] if index + 1 < len(living) else until
        shown = attempt.state if index + 1 == len(living) and attempt.state in ENDED else state
        found.append(scale.stretch(shown, time, max(time, ended)))
    if not found:
        found = [scale.stretch(attempt.state, attempt.assigned_at, until)]
    return Lane(f"Attempt {attempt.number}", attempt.number, tuple(found))


def _steps(samples: Sequence[tuple[Sample, float]], scale: _Scale) -> tuple[Step, ...]:
    most = max((value for _, value in samples), default=0)
    found = []
    for sample, value in samples:
        offset = min(scale.at(sample.time - timedelta(seconds=sample.seconds)), UNITS - _LEAST_WIDTH)
        width = max(_LEAST_WIDTH, scale.at(sample.time) - offset)
        height = round(max(1.0, value / most * BAR_HEIGHT), 1) if most else 1.0
        found.append(Step(offset, width, height, value))
    return tuple(found)


def _bars(log: Sequence[LogStretch], scale: _Scale) -> tuple[Bar, ...]:
    """Spread each stretch of the log evenly over the time in which it came; the highest bar fills the row.

    Which of a stretch's lines is the gravest is not known, only that one is: the stretch's last bar shows it, so that one
    error does not paint all of a short log.
    """
    lines = [0.0] * BARS
    levels = [0] * BARS
    begun = scale.begun.timestamp()
    for stretch in log:
        first, last = (
            min(max(int((time - begun) / scale.seconds * BARS), 0), BARS - 1)
            for time in (stretch.first_time, stretch.last_time)
        )
        last = max(first, last)
        for place in range(first, last + 1):
            lines[place] += stretch.lines / (last - first + 1)
        levels[last] = max(levels[last], stretch.highest_level)
    most = max(lines)
    return tuple(
        Bar(
            place * UNITS / BARS,
            round(max(2.0, count / most * BAR_HEIGHT), 1),
            round(count),
            "failed" if level >= Level.ERROR else "warning" if level >= Level.WARNING else "waiting",
        )
        for place, (count, level) in enumerate(zip(lines, levels, strict=True))
        if count > 0
    )
