"""Tables of runs, their attempts, logs and artifacts."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from controlroom.foundation.database import Base, BigSerial, Choice, Json, UtcDateTime
from controlroom.foundation.ids import ID_LENGTH
from controlroom.runs.states import State


class Run(Base):
    """A request to execute a bot version with inputs, and what came of it."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("requested_by_id", "idempotency_key"),
        Index("ix_runs_created", "created_at", "id"),
        Index("ix_runs_state_created", "state", "created_at", "id"),
        Index("ix_runs_bot_created", "bot_id", "created_at", "id"),
        Index("ix_runs_state_bot_created", "state", "bot_id", "created_at", "id"),
        Index("ix_runs_bot_name_created", "bot_name", "created_at", "id"),
        Index("ix_runs_requested_by_created", "requested_by", "created_at", "id"),
        Index("ix_runs_device_name_created", "device_name", "created_at", "id"),
        Index("ix_runs_device_created", "device_id", "created_at", "id"),
        Index(
            "ix_runs_queue",
            text("priority DESC"),
            "queued_at",
            "id",
            sqlite_where=text("state = 'queued'"),
            postgresql_where=text("state = 'queued'"),
        ),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    bot_id: Mapped[str] = mapped_column(ForeignKey("bots.id"))
    bot_name: Mapped[str] = mapped_column(String(100))
    version_id: Mapped[str] = mapped_column(ForeignKey("bot_versions.id"))
    version_number: Mapped[int]
    task: Mapped[str] = mapped_column(String(200), default="")
    state: Mapped[State] = mapped_column(Choice(State))
    state_since: Mapped[datetime] = mapped_column(UtcDateTime)
    priority: Mapped[int] = mapped_column(default=50)
    inputs: Mapped[dict[str, Any]] = mapped_column(Json)
    outputs: Mapped[dict[str, Any]] = mapped_column(Json)
    requested_by_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    requested_by: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(500), default="")
    idempotency_key: Mapped[str | None] = mapped_column(String(200))
    target_device_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    target_pool_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    usable_pool_ids: Mapped[list[str] | None] = mapped_column(Json)
    """The pools whose devices whoever asked for it might use then; None is every device, in a pool or in none."""
    labels: Mapped[list[str]] = mapped_column(Json)
    timeout_seconds: Mapped[float] = mapped_column(default=0)
    retry: Mapped[dict[str, Any]] = mapped_column(Json)
    attempt_count: Mapped[int] = mapped_column(default=0)
    attempt_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    """The newest attempt."""
    device_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    device_name: Mapped[str | None] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    not_before: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancel_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancel_requested_by: Mapped[str] = mapped_column(String(200), default="")
    message: Mapped[str] = mapped_column(Text, default="")
    """Why it ended so, in a sentence; empty on success."""
    repeats_run_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    """The run that this one repeats."""


class Attempt(Base):
    """One try of a run on one device. Lives while its lease does; each report carries its fencing token."""

    __tablename__ = "attempts"
    __table_args__ = (
        UniqueConstraint("run_id", "number"),
        Index(
            "ix_attempts_active",
            "device_id",
            "lease_expires_at",
            sqlite_where=text("state IN ('assigned', 'running', 'paused')"),
            postgresql_where=text("state IN ('assigned', 'running', 'paused')"),
        ),
        Index("ix_attempts_device", "device_id", "assigned_at"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    number: Mapped[int]
    bot_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"))
    device_name: Mapped[str] = mapped_column(String(100))
    state: Mapped[State] = mapped_column(Choice(State))
    assigned_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_report: Mapped[int] = mapped_column(default=0)
    """Number of the last report that was taken; what comes after the end is taken too, and kept aside."""
    log_lines: Mapped[int] = mapped_column(default=0)
    first_error_line: Mapped[int | None]
    step: Mapped[str] = mapped_column(String(200), default="")
    progress: Mapped[float | None]
    progress_message: Mapped[str] = mapped_column(String(500), default="")
    warm: Mapped[bool | None]
    start_note: Mapped[str] = mapped_column(String(500), default="")
    environment: Mapped[str] = mapped_column(String(80), default="")
    exit_code: Mapped[int | None]
    message: Mapped[str] = mapped_column(Text, default="")
    error_type: Mapped[str] = mapped_column(String(200), default="")
    outputs: Mapped[dict[str, Any]] = mapped_column(Json)
    usage: Mapped[dict[str, Any]] = mapped_column(Json)
    pause_wanted: Mapped[bool] = mapped_column(default=False)


_ACTIVE = ("assigned", "running", "paused")


def attempt_is_active() -> ColumnElement[bool]:
    """Return the condition that an attempt holds a slot, in the words of the index of those: there are few of them.

    SQLite takes an index of some rows only where the query has the same words, not values given apart.
    """
    return Attempt.state.in_([literal_column(f"'{state}'") for state in _ACTIVE])


class LogChunk(Base):
    """A stretch of an attempt's log: lines ``first_line`` up to ``first_line + line_count``, counted from 0.

    ``data`` is a zlib-compressed MessagePack array of `protocol.records.LogRecord`. ``late`` chunks came with a stale
    token and are kept aside: their lines are counted on their own.
    """

    __tablename__ = "log_chunks"

    attempt_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    late: Mapped[bool] = mapped_column(primary_key=True, default=False)
    first_line: Mapped[int] = mapped_column(primary_key=True)
    line_count: Mapped[int]
    highest_level: Mapped[int]
    first_time: Mapped[float]
    last_time: Mapped[float]
    data: Mapped[bytes] = mapped_column(LargeBinary)


class AttemptUsage(Base):
    """What an attempt's processes used over time, as `runs.usage` packs it: apart, since few who read attempts want it."""

    __tablename__ = "attempt_usage"

    attempt_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class Artifact(Base):
    """A file that an attempt left, stored by its hash; of two with one name in an attempt the later counts."""

    __tablename__ = "artifacts"
    __table_args__ = (Index(None, "run_id"), Index(None, "sha256"), UniqueConstraint("attempt_id", "name"))

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    attempt_id: Mapped[str] = mapped_column(ForeignKey("attempts.id"))
    name: Mapped[str] = mapped_column(String(400))
    sha256: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class UploadedBlob(Base):
    """A blob that a runner uploaded for an attempt and that one of its reports may then name as an artifact."""

    __tablename__ = "uploaded_blobs"

    attempt_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    uploaded_at: Mapped[datetime] = mapped_column(UtcDateTime)


class HistoryKind(StrEnum):
    """What a line of a run's history tells."""

    STATE = "state"
    STEP = "step"
    LATE = "late"
    """Something came with a stale token and was kept aside."""
    NOTE = "note"


class RunHistory(Base):
    """A run's story, a row a happening, oldest first by ``id``."""

    __tablename__ = "run_history"
    __table_args__ = (Index(None, "run_id", "id"),)

    id: Mapped[int] = mapped_column(BigSerial, primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    attempt_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    time: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[HistoryKind] = mapped_column(Choice(HistoryKind))
    state: Mapped[State | None] = mapped_column(Choice(State))
    message: Mapped[str] = mapped_column(String(1000), default="")
    detail: Mapped[dict[str, Any]] = mapped_column(Json)
