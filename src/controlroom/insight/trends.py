"""Reads trends from the measures of runs: by the hour for a day, by the day for a fortnight."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import String, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.bots.models import Bot
from controlroom.identity.filters import Conditions
from controlroom.runs.measures import BUSY, WAITED, BotMeasure, RunMeasure, hour_of, quantile
from controlroom.runs.models import Attempt, attempt_is_active
from controlroom.runs.states import State

_MOST_LIVING = 20_000
_DATE_LENGTH = len("2026-01-31")


class Period(StrEnum):
    """How far back trends look."""

    DAY = "day"
    """24 hours, by the hour."""
    FORTNIGHT = "fortnight"
    """14 days, by the day, in UTC."""


@dataclass(slots=True)
class Span:
    """One column of a trend: runs that ended in it by state, and times of those that started or succeeded in it."""

    begun: datetime
    ended: datetime
    outcomes: dict[State, int] = field(default_factory=dict)
    took: dict[int, int] = field(default_factory=dict)
    waited: dict[int, int] = field(default_factory=dict)
    busy_seconds: float = 0.0

    @property
    def took_seconds(self) -> float | None:
        """How long a run that succeeded typically took: the median, to within a tenth."""
        return quantile(self.took, 0.5)

    @property
    def waited_seconds(self) -> float | None:
        """How long a run typically waited for its start: the median, to within a tenth."""
        return quantile(self.waited, 0.5)

    def busy_slots(self, now: datetime) -> float:
        """Return how many slots were taken on average, up to now in the span that goes on."""
        seconds = (min(self.ended, now) - self.begun).total_seconds()
        return self.busy_seconds / seconds if seconds > 0 else 0.0


async def read_spans(
    session: AsyncSession, period: Period, now: datetime, bots: Conditions = ()
) -> Sequence[Span]:
    """Return the spans of a period, oldest first; the last one goes on. ``bots`` keeps them to the runs of some bots."""
    spans = _empty_spans(period, now)
    by_begin = {span.begun: span for span in spans}
    since = spans[0].begun
    query = _query_of_bots(period, since, bots) if bots else _query(session, period, since)
    for begun, kind, bucket, count, seconds in await session.execute(query):
        span = by_begin.get(_moment(begun))
        if span is not None:
            _add(span, kind, bucket, int(count), float(seconds))
    await _add_living(session, spans, now, bots)
    return spans


def _empty_spans(period: Period, now: datetime) -> list[Span]:
    if period is Period.DAY:
        step, last, count = timedelta(hours=1), hour_of(now), 24
    else:
        step, last, count = timedelta(days=1), hour_of(now).replace(hour=0), 14
    return [Span(last - step * back, last - step * (back - 1)) for back in range(count - 1, -1, -1)]


def _query(session: AsyncSession, period: Period, since: datetime) -> Any:
    hour: Any = RunMeasure.hour
    if period is Period.FORTNIGHT and session.get_bind().dialect.name == "postgresql":
        hour = func.date_trunc("day", RunMeasure.hour, "UTC")
    elif period is Period.FORTNIGHT:
        hour = func.substr(type_coerce(RunMeasure.hour, String), 1, _DATE_LENGTH)  # kept as text, in UTC
    parts = (hour.label("begun"), RunMeasure.kind, RunMeasure.bucket)
    return (
        select(*parts, func.sum(RunMeasure.count), func.sum(RunMeasure.seconds))
        .where(RunMeasure.hour >= since)
        .group_by(*parts)
    )


def _query_of_bots(period: Period, since: datetime, bots: Conditions) -> Any:
    parts = (BotMeasure.begun, BotMeasure.kind, BotMeasure.bucket)
    return (
        select(*parts, func.sum(BotMeasure.count), func.sum(BotMeasure.seconds))
        .where(
            BotMeasure.bot_id.in_(select(Bot.id).where(*bots)),
            BotMeasure.daily.is_(period is Period.FORTNIGHT),
            BotMeasure.begun >= since,
        )
        .group_by(*parts)
    )


def _moment(value: datetime | str) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(value, str) else value


def _add(span: Span, kind: str, bucket: int, count: int, seconds: float) -> None:
    if kind == BUSY:
        span.busy_seconds += seconds
    elif kind == WAITED:
        span.waited[bucket] = span.waited.get(bucket, 0) + count
    else:
        state = State(kind)
        span.outcomes[state] = span.outcomes.get(state, 0) + count
        if state is State.SUCCEEDED:
            span.took[bucket] = span.took.get(bucket, 0) + count


async def _add_living(session: AsyncSession, spans: Sequence[Span], now: datetime, bots: Conditions) -> None:
    """Add the time of attempts that hold their slots still, which no measure counts yet."""
    query = select(Attempt.assigned_at).where(attempt_is_active()).limit(_MOST_LIVING)
    if bots:
        query = query.where(Attempt.bot_id.in_(select(Bot.id).where(*bots)))
    living = list(await session.scalars(query))
    for span in spans:
        until = min(span.ended, now)
        span.busy_seconds += sum(
            (until - max(begun, span.begun)).total_seconds() for begun in living if begun < until
        )
