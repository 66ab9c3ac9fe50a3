"""What the API gives of the figures."""

from datetime import datetime

from pydantic import Field

from controlroom.foundation.http import Schema
from controlroom.insight.service import Dashboard
from controlroom.insight.trends import Period, Span
from controlroom.runs.schemas import RunOut
from controlroom.runs.states import State


class BotInTroubleOut(Schema):
    """A bot with runs that failed of late, and the newest of them."""

    bot_id: str
    bot_name: str
    failed: int
    run_id: str
    state: State
    message: str
    time: datetime


class BrokenOut(Schema):
    """What failed in the last 24 hours."""

    failed: int
    bots: list[BotInTroubleOut]


class RunningRunOut(Schema):
    """A run that holds a slot."""

    run: RunOut
    step: str
    progress: float | None
    progress_message: str


class RunningOut(Schema):
    """What runs now; those that have for longest are listed."""

    running: int
    paused: int
    starting: int
    runs: list[RunningRunOut]


class WaitingRunOut(Schema):
    """A run that waits, and why."""

    run: RunOut
    because: str


class WaitingOut(Schema):
    """What comes next, in the order in which it will."""

    total: int
    runs: list[WaitingRunOut]


class DeviceFiguresOut(Schema):
    """How the devices are. `offline` counts those that should be there and are not."""

    total: int
    online: int
    offline: int
    draining: int
    disabled: int
    slots: int
    taken: int


class SpanOut(Schema):
    """An hour or a day."""

    begun: datetime
    ended: datetime
    outcomes: dict[State, int] = Field(description="Runs that ended in it, by state.")
    took_seconds: float | None = Field(description="Median of the runs that succeeded, to within a tenth.")
    waited_seconds: float | None = Field(description="Median of the runs that started, to within a tenth.")
    busy_slots: float = Field(description="Slots that were taken on average.")

    @classmethod
    def of(cls, span: Span, now: datetime) -> "SpanOut":
        """Show a span."""
        return cls(
            begun=span.begun,
            ended=span.ended,
            outcomes=span.outcomes,
            took_seconds=span.took_seconds,
            waited_seconds=span.waited_seconds,
            busy_slots=span.busy_slots(now),
        )


class DashboardOut(Schema):
    """The dashboard's figures; parts that the caller has no right to are null."""

    time: datetime
    period: Period
    broken: BrokenOut | None
    running: RunningOut | None
    waiting: WaitingOut | None
    devices: DeviceFiguresOut | None
    trends: list[SpanOut] | None = Field(
        description="Oldest first, of the runs that you may read; null for who may read none."
    )

    @classmethod
    def of(cls, found: Dashboard) -> "DashboardOut":
        """Show the figures."""
        trends = None if found.trends is None else [SpanOut.of(span, found.time) for span in found.trends]
        return cls(
            time=found.time,
            period=found.period,
            broken=BrokenOut.model_validate(found.broken) if found.broken else None,
            running=RunningOut.model_validate(found.running) if found.running else None,
            waiting=WaitingOut.model_validate(found.waiting) if found.waiting else None,
            devices=DeviceFiguresOut.model_validate(found.devices) if found.devices else None,
            trends=trends,
        )
