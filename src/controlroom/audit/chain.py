"""The chain's end: its lock, its newest link, and how entries are hung on it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit.entry import entry_hash
from controlroom.audit.models import AuditEntry
from controlroom.foundation.database import Transaction

GENESIS_HASH = "0" * 64
"""What the first entry names as the hash before it."""

STEP = "80-audit"
"""The transaction's last step but the events: its lock is held from there to the commit only."""

_LOCK = 7_203_002  # any number that no other advisory lock of ours uses


@dataclass(frozen=True, slots=True)
class Link:
    """An entry's number and hash."""

    number: int
    hash: str


START = Link(0, GENESIS_HASH)


_NEWEST = select(AuditEntry.number, AuditEntry.hash).order_by(AuditEntry.number.desc()).limit(1)


async def lock_chain(session: AsyncSession) -> None:
    """Keep every other writer of the chain waiting until this transaction ends; SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


async def newest_link(session: AsyncSession) -> Link:
    """Return the newest entry's link, `START` where there is none."""
    row = (await session.execute(_NEWEST)).one_or_none()
    return Link(row.number, row.hash) if row else START


async def append_pending(transaction: Transaction) -> None:
    """Number, hash and write the entries that a transaction has collected."""
    await lock_chain(transaction.session)
    link = await newest_link(transaction.session)
    rows: list[dict[str, Any]] = transaction.pending[STEP]
    for row in rows:
        row["number"] = link.number + 1
        row["previous_hash"] = link.hash
        row["hash"] = entry_hash(row)
        link = Link(row["number"], row["hash"])
    await transaction.insert_rows(AuditEntry, rows)
