"""Tables of the audit log. Entries are only ever added; the seal is one row that is replaced."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

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
