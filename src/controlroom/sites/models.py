"""The tables of declared sites and of what proofs and probes found. Rows are only ever added, and old reports dropped."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controlroom.foundation.database import Base, Choice, Json, UtcDateTime
from controlroom.foundation.ids import ID_LENGTH

NAME_LENGTH = 63
NOTE_LENGTH = 200
SUBJECT_LENGTH = 200
PERSON_LENGTH = 200


class ReportKind(StrEnum):
    """Where a report comes from."""

    PROOF = "proof"
    PROBES = "probes"


class DeclaredSite(Base):
    """One version of the site; the one with the highest number counts."""

    __tablename__ = "declared_sites"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    text: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(String(NOTE_LENGTH), default="")
    declared_at: Mapped[datetime] = mapped_column(UtcDateTime)
    declared_by_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    declared_by: Mapped[str] = mapped_column(String(PERSON_LENGTH))


class NetworkReport(Base):
    """What one proof or one round of probes found; ``subject`` is the firewall, or the host that asked."""

    __tablename__ = "network_reports"
    __table_args__ = (Index(None, "kind", "made_at"),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    kind: Mapped[ReportKind] = mapped_column(Choice(ReportKind))
    subject: Mapped[str] = mapped_column(String(SUBJECT_LENGTH))
    site_number: Mapped[int]
    holds: Mapped[bool]
    report: Mapped[dict[str, Any]] = mapped_column(Json)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    made_by_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    made_by: Mapped[str] = mapped_column(String(PERSON_LENGTH))
