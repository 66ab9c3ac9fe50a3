"""Tables of the audit log. Entries are only ever added, and removed behind an anchor; the seal is one row that is replaced."""

from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import BigInteger, Index, String, Table
from sqlalchemy.orm import Mapped, mapped_column

from controlroom.audit.guard import guard
from controlroom.foundation.database import Base, Choice, Json, UtcDateTime


class AuditOutcome(StrEnum):
    """Whether what was tried worked."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class AuditEntry(Base):
    """One act. ``hash`` is the SHA-256 of the entry's other fields and of ``previous_hash``."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index(None, "time"),
        Index(None, "target_id", "number"),
        Index(None, "actor_id", "number"),
        Index(None, "action", "number"),
        Index(None, "outcome", "number"),
        Index(None, "actor_name", "number"),
        Index(None, "target_name", "number"),
        Index(None, "address", "number"),
        Index(None, "request_id", "number"),
    )

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    time: Mapped[datetime] = mapped_column(UtcDateTime)
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[str] = mapped_column(String(32))
    actor_name: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(64))
    target_kind: Mapped[str] = mapped_column(String(32))
    target_id: Mapped[str] = mapped_column(String(64))
    target_name: Mapped[str] = mapped_column(String(200))
    outcome: Mapped[AuditOutcome] = mapped_column(Choice(AuditOutcome))
    address: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(64))
    detail: Mapped[dict[str, Any]] = mapped_column(Json)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditSeal(Base):
    """The newest entry that the server has vouched for with its key; there is one row, with id 1."""

    __tablename__ = "audit_seals"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))
    time: Mapped[datetime] = mapped_column(UtcDateTime)
    mac: Mapped[str] = mapped_column(String(64))


class AuditAnchor(Base):
    """What stands for a stretch of entries that retention removed: their count and their two ends, signed."""

    __tablename__ = "audit_anchors"

    first_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    last_number: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int] = mapped_column(BigInteger)
    previous_hash: Mapped[str] = mapped_column(String(64))
    """The hash before the stretch: what its first entry named."""
    hash: Mapped[str] = mapped_column(String(64))
    """The hash of its last entry: what the first one that was kept names."""
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime] = mapped_column(UtcDateTime)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    public_key: Mapped[str] = mapped_column(String(44))
    signature: Mapped[str] = mapped_column(String(88))


class AuditCheckpoint(Base):
    """A signed checkpoint that was handed out, so that the log can say which was the last."""

    __tablename__ = "audit_checkpoints"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(64))
    time: Mapped[datetime] = mapped_column(UtcDateTime)
    public_key: Mapped[str] = mapped_column(String(44))
    signature: Mapped[str] = mapped_column(String(88))


class AuditDelivery(Base):
    """How far the log was sent to another place, and which node sends it at the moment."""

    __tablename__ = "audit_deliveries"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, default=0)
    """The newest entry that counts as sent."""
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    holder: Mapped[str] = mapped_column(String(32), default="")
    held_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    connected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failure: Mapped[str] = mapped_column(String(500), default="")
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


guard(cast("Table", AuditEntry.__table__), cast("Table", AuditAnchor.__table__))
