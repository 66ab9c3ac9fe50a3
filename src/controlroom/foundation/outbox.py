"""The outbox: what happened, in order, written in the transaction that made it happen.

Live pages and subscribers read on from a position, so a lost message or connection loses no event. Positions grow in
commit order: on PostgreSQL a transaction that writes events holds one advisory lock from its last step to its commit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from controlroom.foundation.database import Base, BigSerial, Json, Transaction, UtcDateTime

TOPIC = "events"
"""The bus topic that is woken after a commit with events."""

_STEP = "90-outbox"
_LOCK = 7_203_001  # any number that no other advisory lock of ours uses


class EventRow(Base):
    """One thing that happened, for live pages."""

    __tablename__ = "events"
    __table_args__ = (Index(None, "time"), {"sqlite_autoincrement": True})

    position: Mapped[int] = mapped_column(BigSerial, primary_key=True)
    time: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(32))
    data: Mapped[dict[str, Any]] = mapped_column(Json)


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it is read: ``kind`` is ``run.running`` or ``device.connected``, ``subject`` the id it is about."""

    position: int
    time: datetime
    kind: str
    subject: str
    data: Mapping[str, Any]


def emit(
    transaction: Transaction, *, time: datetime, kind: str, subject: str, data: Mapping[str, Any]
) -> None:
    """Add an event to the transaction; it is written and announced with the commit."""
    row = {"time": time, "kind": kind, "subject": subject, "data": dict(data)}
    transaction.add_pending(_STEP, row, _write)
    transaction.wake(TOPIC)


async def _write(transaction: Transaction) -> None:
    session = transaction.session
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    await transaction.insert_rows(EventRow, transaction.pending[_STEP])


async def read_events(session: AsyncSession, *, after: int, limit: int = 500) -> Sequence[Event]:
    """Return the events behind a position, oldest first."""
    rows = await session.execute(
        select(EventRow.position, EventRow.time, EventRow.kind, EventRow.subject, EventRow.data)
        .where(EventRow.position > after)
        .order_by(EventRow.position)
        .limit(limit)
    )
    return [Event(*row) for row in rows]


async def last_position(session: AsyncSession) -> int:
    """Return the newest position, 0 where nothing has happened yet."""
    return await session.scalar(select(func.max(EventRow.position))) or 0


async def first_position(session: AsyncSession) -> int:
    """Return the oldest position that can still be read, 0 where there is none."""
    return await session.scalar(select(func.min(EventRow.position))) or 0


async def forget_events(transaction: Transaction, *, before: datetime) -> None:
    """Remove events that are too old to be resumed from."""
    await transaction.session.execute(delete(EventRow).where(EventRow.time < before))
