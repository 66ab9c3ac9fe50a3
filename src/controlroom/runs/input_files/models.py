"""Tables of files that were uploaded as inputs, and of the runs that were given them."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from controlroom.foundation.database import Base, UtcDateTime
from controlroom.foundation.ids import ID_LENGTH

LONGEST_NAME = 200
LONGEST_MEDIA_TYPE = 120
LONGEST_POINTER = 400
_UNUSED = text("used_at IS NULL")


class InputFile(Base):
    """An uploaded file. One that no run uses ends at ``expires_at``; one that a run used lives as long as runs do."""

    __tablename__ = "input_files"
    __table_args__ = (
        Index("ix_input_files_sha256", "sha256"),
        Index("ix_input_files_unused_by", "uploaded_by_id", sqlite_where=_UNUSED, postgresql_where=_UNUSED),
        Index("ix_input_files_unused", "expires_at", sqlite_where=_UNUSED, postgresql_where=_UNUSED),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    media_type: Mapped[str] = mapped_column(String(LONGEST_MEDIA_TYPE))
    sha256: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    uploaded_by_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    uploaded_by: Mapped[str] = mapped_column(String(200))
    uploaded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the first run was given it; None for one that lies unused."""


class RunFile(Base):
    """A file among a run's inputs; ``pointer`` leads to it there, such as ``/invoice`` or ``/attachments/0``."""

    __tablename__ = "run_files"
    __table_args__ = (Index("ix_run_files_file_id", "file_id"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    pointer: Mapped[str] = mapped_column(String(LONGEST_POINTER), primary_key=True)
    file_id: Mapped[str] = mapped_column(ForeignKey("input_files.id"))
