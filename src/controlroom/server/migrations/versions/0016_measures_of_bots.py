"""Measures of each bot, by the hour and by the day, for people who see the runs of some bots only.

Revision 0016, after 0015. Those of the last fortnight are counted from the runs and attempts themselves.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

from controlroom.foundation.database import UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_MEASURED = timedelta(days=15)
_HOURS_KEPT = timedelta(days=3)
_AT_ONCE = 5_000


def upgrade() -> None:
    """Bring the tables to this revision."""
    measures = op.create_table(
        "bot_measures",
        sa.Column("bot_id", sa.String(length=32), nullable=False),
        sa.Column("daily", sa.Boolean(), nullable=False),
        sa.Column("begun", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("bucket", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("bot_id", "daily", "begun", "kind", "bucket", name=op.f("pk_bot_measures")),
    )
    connection, now = op.get_bind(), datetime.now(UTC)
    sums: dict[tuple[str, bool, datetime, str, int], list[float]] = defaultdict(lambda: [0, 0.0])
    for bot_id, moment, kind, bucket, seconds in _what_was(connection, now - _MEASURED):
        hour = moment.replace(minute=0, second=0, microsecond=0)
        begins = [(True, hour.replace(hour=0))]
        if hour > now - _HOURS_KEPT:
            begins.append((False, hour))
        for daily, begun in begins:
            known = sums[(bot_id, daily, begun, kind, bucket)]
            known[0] += 1
            known[1] += seconds
    rows = [
        {"bot_id": bot, "daily": daily, "begun": begun, "kind": kind, "bucket": bucket, "count": int(count), "seconds": seconds}
        for (bot, daily, begun, kind, bucket), (count, seconds) in sums.items()
    ]  # fmt: skip
    for first in range(0, len(rows), _AT_ONCE):
        connection.execute(sa.insert(measures), rows[first : first + _AT_ONCE])


def _what_was(connection: sa.Connection, since: datetime) -> Iterator[tuple[str, datetime, str, int, float]]:
    """Give bot, moment, kind, bucket and seconds of all that was measured since a moment."""
    moments = [sa.column(name, UtcDateTime()) for name in ("created_at", "started_at", "ended_at")]
    runs = sa.table("runs", sa.column("bot_id", sa.String()), sa.column("state", sa.String()), *moments)
    query = sa.select(runs.c.bot_id, runs.c.state, runs.c.created_at, runs.c.started_at, runs.c.ended_at)
    for bot, state, created, started, ended in connection.execute(query.where(runs.c.ended_at >= since)):
        took = (ended - started).total_seconds() if started else 0.0
        yield bot, ended, state, _bucket(took), took
        if started:
            waited = (started - created).total_seconds()
            yield bot, started, "waited", _bucket(waited), waited
    begun = sa.column("assigned_at", UtcDateTime())
    attempts = sa.table(
        "attempts", sa.column("bot_id", sa.String()), begun, sa.column("ended_at", UtcDateTime())
    )
    ended_attempts = sa.select(attempts.c.bot_id, attempts.c.assigned_at, attempts.c.ended_at).where(
        attempts.c.ended_at >= since
    )
    for bot, assigned, ended in connection.execute(ended_attempts):
        moment = max(assigned, since)
        while moment < ended:
            until = min(moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1), ended)
            yield bot, moment, "busy", 0, (until - moment).total_seconds()
            moment = until


def _bucket(seconds: float) -> int:
    return math.floor(math.log2(max(seconds, 0.125)) * 4)
