"""The few settings that may change while the server runs: read from outside at its start, and from the database since.

What was changed at run time stands in the database and wins over the environment and the settings file, on every node.
Each node keeps one `LiveSettings`, hands it to whoever needs it, and brings it up to date every few seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import BigInteger, String, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from controlroom.foundation.database import Base, UtcDateTime
from controlroom.foundation.settings import Settings


class ChangedSetting(Base):
    """A setting that was changed at run time; ``value`` is None where it was put back to what is read at the start."""

    __tablename__ = "changed_settings"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[int | None] = mapped_column(BigInteger)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str] = mapped_column(String(200))
    revision: Mapped[int] = mapped_column(default=1)


@dataclass(slots=True)
class LiveSettings:
    """The settings that may change at run time, as they are now. They mean what those of the same names in `Settings` do."""

    session_idle_minutes: int
    session_absolute_hours: int
    password_minimum_length: int
    event_retention_hours: int
    unnamed_file_hours: int
    audit_retention_days: int

    @classmethod
    def of(cls, settings: Settings) -> "LiveSettings":
        """Return what was read at the start."""
        return cls(**{name: getattr(settings, name) for name in LIVE_NAMES})

    def take(self, settings: Settings, changed: Mapping[str, int]) -> None:
        """Be what was read at the start, but for what was changed since."""
        for name in LIVE_NAMES:
            setattr(self, name, changed.get(name, getattr(settings, name)))


LIVE_NAMES = tuple(field.name for field in fields(LiveSettings))


async def read_changed(session: AsyncSession) -> Mapping[str, int]:
    """Return what was changed at run time; what only another version of the product knows is left out."""
    rows = await session.scalars(select(ChangedSetting))
    return {row.name: row.value for row in rows if row.value is not None and row.name in LIVE_NAMES}
