"""Measures of runs by the hour, kept up in the transactions that end runs: what a dashboard adds up instead of counting runs.

A measure is a count and a sum of seconds for one hour, kind and bucket. Buckets are quarters of a power of two, so that
medians can be read from them to within a tenth, however many runs there are. What is measured over all bots is measured for
each bot too, by the hour for some days and by the day for good: for people who see the runs of some bots only.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Insert, String, delete
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Mapped, mapped_column

from controlroom.foundation.database import Base, Transaction, UtcDateTime
from controlroom.foundation.ids import ID_LENGTH
from controlroom.runs.models import Attempt, Run

WAITED = "waited"
"""Kind: how long runs waited from their request to the start of their bot, in the hour of the start."""
BUSY = "busy"
"""Kind: how long slots were taken, in the hours in which they were."""

_STEP = (
    "75-run-measures"  # before the audit log's step, so that every transaction takes these locks in one order
)
_PARTS = 4
_LEAST_SECONDS = 0.125
_LONGEST_BUSY = timedelta(days=31)
"""An attempt that lasted longer counts for its last month only, which bounds the rows that its end writes."""
HOURS_KEPT = timedelta(days=3)
"""How long a bot's measures by the hour are kept; a trend by the hour looks back a day."""


class RunMeasure(Base):
    """How often, and for how many seconds in all, something happened in an hour; ``kind`` is an ended state or as above."""

    __tablename__ = "run_measures"

    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    bucket: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float]


class BotMeasure(Base):
    """The same for one bot, in an hour or, where ``daily``, in a day of UTC."""

    __tablename__ = "bot_measures"

    bot_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    daily: Mapped[bool] = mapped_column(primary_key=True)
    begun: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    bucket: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float]


def hour_of(moment: datetime) -> datetime:
    """Return the beginning of a moment's hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def bucket_of(seconds: float) -> int:
    """Return the bucket that a length of time falls into."""
    return math.floor(math.log2(max(seconds, _LEAST_SECONDS)) * _PARTS)


def middle_of(bucket: int) -> float:
    """Return the length of time, in seconds, in the middle of a bucket."""
    return float(2 ** ((bucket + 0.5) / _PARTS))


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """Return the length of time, in seconds, that a share (0 to 1) of what was counted stayed below; None of nothing."""
    wanted = sum(counts.values()) * share
    reached = 0
    for bucket in sorted(counts):
        reached += counts[bucket]
        if reached >= wanted and reached:
            return middle_of(bucket)
    return None


def measure_start(transaction: Transaction, run: Run, now: datetime) -> None:
    """Count how long a run waited; call it once, when its bot starts for the first time."""
    _add(transaction, run.bot_id, now, WAITED, (now - run.created_at).total_seconds())


def measure_end(transaction: Transaction, run: Run, now: datetime) -> None:
    """Count a run that has just ended, with the time that its bot took, 0 where it never started."""
    begun = run.started_at
    _add(transaction, run.bot_id, now, run.state.value, (now - begun).total_seconds() if begun else 0.0)


def measure_busy(transaction: Transaction, attempt: Attempt, ended: datetime) -> None:
    """Count the time that an attempt held its slot, in each hour that it reached into."""
    begun = max(attempt.assigned_at, ended - _LONGEST_BUSY)
    while begun < ended:
        until = min(hour_of(begun) + timedelta(hours=1), ended)
        _add(transaction, attempt.bot_id, begun, BUSY, (until - begun).total_seconds(), bucket=0)
        begun = until


async def forget_hours_of_bots(transaction: Transaction, now: datetime) -> None:
    """Remove the measures of bots by the hour that no trend looks at any more."""
    old = delete(BotMeasure).where(~BotMeasure.daily, BotMeasure.begun < now - HOURS_KEPT)
    await transaction.session.execute(old)


def _add(
    transaction: Transaction,
    bot_id: str,
    moment: datetime,
    kind: str,
    seconds: float,
    *,
    bucket: int | None = None,
) -> None:
    seconds = max(0.0, seconds)
    row = {
        "bot_id": bot_id,
        "hour": hour_of(moment),
        "kind": kind,
        "bucket": bucket_of(seconds) if bucket is None else bucket,
        "seconds": seconds,
    }
    transaction.add_pending(_STEP, row, _write)


async def _write(transaction: Transaction) -> None:
    session, rows = transaction.session, transaction.pending[_STEP]
    dialect = session.get_bind().dialect.name
    of_bots = [
        {**row, "daily": daily, "begun": row["hour"].replace(hour=0) if daily else row["hour"]}
        for row in rows
        for daily in (False, True)
    ]
    for table, added in ((RunMeasure, rows), (BotMeasure, of_bots)):
        await session.execute(_upsert(table, dialect), _added_up(added, _keys(table)))


def _added_up(rows: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    """Add rows of one key up, and order them by their keys: two transactions then never wait for each other in a ring."""
    sums: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        known = sums.setdefault(tuple(row[key] for key in keys), [0, 0.0])
        known[0] += 1
        known[1] += row["seconds"]
    return [
        {**dict(zip(keys, values, strict=True)), "count": int(count), "seconds": seconds}
        for values, (count, seconds) in sorted(sums.items())
    ]


@cache
def _keys(table: type[RunMeasure] | type[BotMeasure]) -> tuple[str, ...]:
    return tuple(column.name for column in table.__table__.primary_key)


@cache
def _upsert(table: type[RunMeasure] | type[BotMeasure], dialect: str) -> Insert:
    made: Any = (postgresql_insert if dialect == "postgresql" else sqlite_insert)(table)
    upsert: Insert = made.on_conflict_do_update(
        index_elements=_keys(table),
        set_={"count": table.count + made.excluded.count, "seconds": table.seconds + made.excluded.seconds},
    )
    return upsert
