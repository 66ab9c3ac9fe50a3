"""Retention: old entries go, a stretch at a time, each behind a signed anchor that keeps the rest of the chain provable."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit.actor import Actor
from controlroom.audit.anchors import Stretch, last_anchored, sign_anchor
from controlroom.audit.chain import Link
from controlroom.audit.entry import entry_hash
from controlroom.audit.errors import RetentionRefused
from controlroom.audit.models import AuditDelivery, AuditEntry, AuditSeal
from controlroom.audit.names import forget_unused
from controlroom.audit.record import record
from controlroom.audit.signing import Signer
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction

STRETCH_ENTRIES = 5_000
"""Entries that one transaction removes: it holds SQLite's one writer for a few tenths of a second."""

_LOCK = 7_203_010  # any number that no other advisory lock of ours uses
_CHECKED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """For how long entries are kept: ``days`` gives the days as they are set now, 0 for ever.

    What goes is exported into ``export_folder`` first, where there is one.
    """

    days: Callable[[], int]
    export_folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """What retention did: ``count`` entries went, ``first`` to ``last``; 0 where nothing was old enough."""

    count: int
    first: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class Removable:
    """What retention would remove: ``count`` entries, ``first`` to ``last``, made from ``oldest`` to ``newest``."""

    count: int
    first: int = 0
    last: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None


async def told_removable(session: AsyncSession, before: datetime, *, is_sent: bool) -> Removable:
    """Say what may go, without removing it."""
    first, last = await removable(session, before, is_sent=is_sent)
    if last < first:
        return Removable(0)
    ends = select(AuditEntry.time).where(AuditEntry.number.in_((first, last))).order_by(AuditEntry.number)
    times = (await session.scalars(ends)).all()
    return Removable(last - first + 1, first, last, times[0], times[-1]) if times else Removable(0)


async def removable(session: AsyncSession, before: datetime, *, is_sent: bool) -> tuple[int, int]:
    """Return the first and the last number that may go; the last is below the first where none may.

    Nothing goes that stands behind a younger entry, that the seal names, or that has not been sent to the log collector
    yet where entries are (``is_sent``).
    """
    first = (await last_anchored(session)).number + 1
    kept = [
        await session.scalar(select(func.min(AuditEntry.number)).where(AuditEntry.time >= before)),
        await session.scalar(select(func.max(AuditEntry.number))),
        await session.scalar(select(AuditSeal.number)),
    ]
    if is_sent:
        kept.append((await session.scalar(select(func.min(AuditDelivery.number))) or 0) + 1)
    return first, min((number for number in kept if number is not None), default=first) - 1


async def remove_stretches(
    database: Database,
    signer: Signer,
    clock: Clock,
    *,
    actor: Actor,
    first: int,
    last: int,
    exported_to: str = "",
) -> Removed:
    """Remove the entries ``first`` to ``last``, which `removable` gave; raise `RetentionRefused` where one does not hold.

    Each stretch is proved, anchored, removed and written down in one transaction, so that an end in the middle leaves a
    chain that can be proved.
    """
    count = 0
    while first + count <= last:
        async with database.write() as transaction:
            end = min(first + count + STRETCH_ENTRIES - 1, last)
            count += await _remove_stretch(transaction, signer, end, clock.now(), actor, exported_to)
        await asyncio.sleep(0)
    if not count:
        return Removed(0)
    async with database.write() as transaction:
        await forget_unused(transaction.session)
    return Removed(count, first, last)


async def _remove_stretch(
    transaction: Transaction, signer: Signer, last: int, now: datetime, actor: Actor, exported_to: str
) -> int:
    session = transaction.session
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    stretch = await _proved_stretch(session, await last_anchored(session), last)
    session.add(await sign_anchor(signer, stretch, now))
    await session.flush()
    await session.execute(
        delete(AuditEntry).where(AuditEntry.number.between(stretch.first, stretch.last.number))
    )
    record(
        transaction, time=now, actor=actor, action="audit.removed", target_kind="audit", target_id=str(stretch.last.number),
        detail={
            "first": stretch.first, "last": stretch.last.number, "count": stretch.count, "hash": stretch.last.hash,
            "exported_to": exported_to,
        },
    )  # fmt: skip
    return stretch.count


async def _proved_stretch(session: AsyncSession, begin: Link, last: int) -> Stretch:
    """Read a stretch through; what does not hold is evidence, and evidence is not removed."""
    link = begin
    began: datetime | None = None
    ended: datetime | None = None
    columns = AuditEntry.__table__.columns
    while link.number < last:
        query = select(*columns).where(columns.number > link.number, columns.number <= last)
        rows = (
            (await session.execute(query.order_by(columns.number).limit(_CHECKED_AT_ONCE))).mappings().all()
        )
        for row in rows:
            follows = row["number"] == link.number + 1 and row["previous_hash"] == link.hash
            if not follows or entry_hash(dict(row)) != row["hash"]:
                raise RetentionRefused(
                    f"Entry {link.number + 1} does not hold, and what was tampered with is not removed. "
                    "Run 'controlroom audit verify'."
                )
            link = Link(row["number"], row["hash"])
            began, ended = began or row["time"], row["time"]
        if not rows:
            break
        await asyncio.sleep(0)
    if began is None or ended is None:
        raise RetentionRefused("The entries to remove are gone meanwhile; another retention may be at work.")
    return Stretch(begin.number + 1, link, link.number - begin.number, begin.hash, began, ended)
