"""Tables of bots and their published versions."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from controlroom.foundation.database import Base, UtcDateTime
from controlroom.foundation.ids import ID_LENGTH


class Bot(Base):
    """An automation. ``folder`` is a path such as ``/finance/monthly``; ``revision`` counts edits, for ETags."""

    __tablename__ = "bots"
    __table_args__ = (UniqueConstraint("folder", "name"), Index(None, "name"))

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    folder: Mapped[str] = mapped_column(String(400), default="/")
    description: Mapped[str] = mapped_column(String(2000), default="")
    current_version_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    latest_number: Mapped[int] = mapped_column(default=0)
    most_at_once: Mapped[int | None]
    """Most runs of this bot at once, or None for no limit."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revision: Mapped[int] = mapped_column(default=1)


class BotVersion(Base):
    """One published package of a bot, never changed. ``manifest`` is a `bots.manifest.Manifest`, as JSON."""

    __tablename__ = "bot_versions"
    __table_args__ = (UniqueConstraint("bot_id", "number"), UniqueConstraint("bot_id", "sha256"))

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    bot_id: Mapped[str] = mapped_column(ForeignKey("bots.id"))
    number: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int]
    format: Mapped[str] = mapped_column(String(40))
    manifest: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Plain JSON on every database: PostgreSQL's ``jsonb`` would lose the order of a form's fields."""
    note: Mapped[str] = mapped_column(String(2000), default="")
    published_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_by: Mapped[str] = mapped_column(String(200))
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
