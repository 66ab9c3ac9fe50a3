"""Measures of runs by the hour, kept up in the transactions that end runs: what a dashboard adds up instead of counting runs.

A measure is a count and a sum of seconds for one hour, kind and bucket. Buckets are quarters of a power of two, so that
medians can be read from them to within a tenth, however many runs there are.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Insert, String
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Mapped, mapped_column

from controlroom.foundation.database import Base, Transaction, UtcDateTime
from controlroom.runs.models import Run

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


class RunMeasure(Base):
    """How often, and for how many seconds in all, something happened in an hour; ``kind`` is an ended state or as above."""

    __tablename__ = "run_measures"

    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
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
    _add(transaction, now, WAITED, (now - run.created_at).total_seconds())


def measure_end(transaction: Transaction, run: Run, now: datetime) -> None:
    """Count a run that has just ended, with the time that its bot took, 0 where it never started."""
    begun = run.started_at
    _add(transaction, now, run.state.value, (now - begun).total_seconds() if begun else 0.0)


def measure_busy(transaction: Transaction, begun: datetime, ended: datetime) -> None:
    """Count the time that an attempt held its slot, in each hour that it reached into."""
    begun = max(begun, ended - _LONGEST_BUSY)
    while begun < ended:
        until = min(hour_of(begun) + timedelta(hours=1), ended)
        _add(transaction, begun, BUSY, (until - begun).total_seconds(), bucket=0)
        begun = until


def _add(
    transaction: Transaction, moment: datetime, kind: str, seconds: float, *, bucket: int | None = None
) -> None:
    seconds = max(0.0, seconds)
    row = {
        "hour": hour_of(moment),
        "kind": kind,
        "bucket": bucket_of(seconds) if bucket is None else bucket,
        "seconds": seconds,
    }
    transaction.add_pending(_STEP, row, _write)


async def _write(transaction: Transaction) -> None:
    session = transaction.session
    statement = _upsert(session.get_bind().dialect.name)
    await session.execute(statement, _added_up(transaction.pending[_STEP]))


def _added_up(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Add rows of one key up, and order them by their keys: two transactions then never wait for each other in a ring."""
    sums: dict[tuple[datetime, str, int], list[float]] = {}
    for row in rows:
        known = sums.setdefault((row["hour"], row["kind"], row["bucket"]), [0, 0.0])
        known[0] += 1
        known[1] += row["seconds"]
    return [
        {"hour": hour, "kind": kind, "bucket": bucket, "count": int(count), "seconds": seconds}
        for (hour, kind, bucket), (count, seconds) in sorted(sums.items())
    ]


@cache
def _upsert(dialect: str) -> Insert:
    table: Any = RunMeasure.__table__
    made: Any = (postgresql_insert if dialect == "postgresql" else sqlite_insert)(table)
    upsert: Insert = made.on_conflict_do_update(
        index_elements=[RunMeasure.hour, RunMeasure.kind, RunMeasure.bucket],
        set_={
            "count": RunMeasure.count + made.excluded.count,
            "seconds": RunMeasure.seconds + made.excluded.seconds,
        },
    )
    return upsert
