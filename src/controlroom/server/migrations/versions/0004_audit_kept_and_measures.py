"""Anchors, checkpoints and deliveries of the audit log and its triggers; measures of runs; pools with share and order.

Revision 0004, after 0003. Measures of the runs that ended in the last 90 days are counted from the runs themselves.
"""

import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

from controlroom.foundation.database import BigSerial, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_MEASURED = timedelta(days=90)
_GUARD = {
    "sqlite": (
        """CREATE TRIGGER audit_entries_are_not_changed BEFORE UPDATE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END""",
        """CREATE TRIGGER audit_entries_are_not_removed BEFORE DELETE ON audit_entries
WHEN NOT EXISTS (SELECT 1 FROM audit_anchors WHERE first_number <= OLD.number AND last_number >= OLD.number)
BEGIN SELECT RAISE(ABORT, 'audit entries are removed by retention only, behind an anchor'); END""",
    ),
    "postgresql": (
        """CREATE OR REPLACE FUNCTION audit_entries_guard() RETURNS trigger LANGUAGE plpgsql AS $guard$
BEGIN
  IF TG_OP = 'DELETE' AND EXISTS (
    SELECT 1 FROM audit_anchors WHERE first_number <= OLD.number AND last_number >= OLD.number
  ) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'audit entries are never changed, and removed by retention only, behind an anchor';
END $guard$""",
        """CREATE TRIGGER audit_entries_are_kept BEFORE UPDATE OR DELETE ON audit_entries
FOR EACH ROW EXECUTE FUNCTION audit_entries_guard()""",
        """CREATE TRIGGER audit_entries_are_not_emptied BEFORE TRUNCATE ON audit_entries
FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_guard()""",
    ),
}


def upgrade() -> None:
    """Bring the tables to this revision."""
    _audit()
    _pools_and_presence()
    measures = op.create_table(
        "run_measures",
        sa.Column("hour", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("bucket", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "kind", "bucket", name=op.f("pk_run_measures")),
    )
    _measure_what_was(measures)


def _audit() -> None:
    op.create_table(
        "audit_anchors",
        sa.Column("first_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("public_key", sa.String(length=44), nullable=False),
        sa.Column("signature", sa.String(length=88), nullable=False),
        sa.PrimaryKeyConstraint("first_number", name=op.f("pk_audit_anchors")),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("time", UtcDateTime(), nullable=False),
        sa.Column("public_key", sa.String(length=44), nullable=False),
        sa.Column("signature", sa.String(length=88), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_checkpoints")),
    )
    op.create_table(
        "audit_deliveries",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("holder", sa.String(length=32), nullable=False),
        sa.Column("held_until", UtcDateTime(), nullable=True),
        sa.Column("connected_at", UtcDateTime(), nullable=True),
        sa.Column("failure", sa.String(length=500), nullable=False),
        sa.Column("failed_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_deliveries")),
    )
    for statement in _GUARD.get(op.get_bind().dialect.name, ()):
        op.execute(statement)


def _pools_and_presence() -> None:
    op.create_table(
        "device_presence",
        sa.Column("id", BigSerial, nullable=False),
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("time", UtcDateTime(), nullable=False),
        sa.Column("is_connected", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name=op.f("fk_device_presence_device_id_devices")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_presence")),
    )
    with op.batch_alter_table("device_presence", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_device_presence_device_id_id"), ["device_id", "id"], unique=False
        )
    with op.batch_alter_table("device_pools", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("share", sa.String(length=16), nullable=False, server_default="priority")
        )
        batch_op.add_column(
            sa.Column("device_order", sa.String(length=16), nullable=False, server_default="spread")
        )
    with op.batch_alter_table("device_pool_members", schema=None) as batch_op:
        batch_op.add_column(sa.Column("position", sa.Integer(), nullable=False, server_default="0"))


def _measure_what_was(measures: sa.Table) -> None:
    connection = op.get_bind()
    runs = sa.table(
        "runs",
        sa.column("state", sa.String()),
        sa.column("created_at", UtcDateTime()),
        sa.column("started_at", UtcDateTime()),
        sa.column("ended_at", UtcDateTime()),
    )
    query = sa.select(runs.c.state, runs.c.created_at, runs.c.started_at, runs.c.ended_at).where(
        runs.c.ended_at >= datetime.now(UTC) - _MEASURED
    )
    sums: dict[tuple[datetime, str, int], list[float]] = defaultdict(lambda: [0, 0.0])
    for state, created, started, ended in connection.execute(query):
        found = [(ended, state, (ended - started).total_seconds() if started else 0.0)]
        if started:
            found.append((started, "waited", (started - created).total_seconds()))
        for moment, kind, seconds in found:
            bucket = math.floor(math.log2(max(seconds, 0.125)) * 4)
            known = sums[(moment.replace(minute=0, second=0, microsecond=0), kind, bucket)]
            known[0] += 1
            known[1] += seconds
    rows = [
        {"hour": hour, "kind": kind, "bucket": bucket, "count": int(count), "seconds": seconds}
        for (hour, kind, bucket), (count, seconds) in sums.items()
    ]
    if rows:
        connection.execute(sa.insert(measures), rows)
