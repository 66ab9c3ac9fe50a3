"""The seal: the newest link of the chain under the server's key.

The chain alone shows what was changed inside it. Whoever can write to the database could cut entries off its end, or
compute the whole chain anew; the seal shows both, for they do not have the key. What was added since the last seal,
and an older copy of the whole database, seal included, it cannot show: for that, compare with a link noted elsewhere.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit.actor import SYSTEM
from controlroom.audit.chain import Link, lock_chain, newest_link
from controlroom.audit.errors import SealBroken
from controlroom.audit.models import AuditEntry, AuditSeal
from controlroom.audit.record import record
from controlroom.foundation.database import Transaction

_ID = 1
_PURPOSE = b"controlroom audit seal"


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal as it stands in the database; ``is_ours`` says whether it was made with this server's key."""

    link: Link
    time: datetime
    is_ours: bool


async def read_seal(session: AsyncSession, secret_key: bytes) -> Seal | None:
    """Return the seal, or None where there is none."""
    row = await session.get(AuditSeal, _ID)
    if row is None:
        return None
    expected = _mac(secret_key, Link(row.number, row.hash), row.time)
    return Seal(Link(row.number, row.hash), row.time, hmac.compare_digest(expected, row.mac))


async def renew_seal(
    transaction: Transaction, secret_key: bytes, *, time: datetime, anew: bool = False
) -> Seal | None:
    """Seal the chain as it stands and return the seal; None where there is nothing to seal yet.

    Raises `SealBroken` where the chain does not hold what the last seal vouched for. ``anew`` seals all the same, as is
    needed once after the server's key was changed. A seal without one before it leaves an entry that says so.
    """
    session = transaction.session
    await lock_chain(session)
    head = await newest_link(session)
    if head.number == 0:
        return None
    kept = await read_seal(session, secret_key)
    if kept is not None and not anew:
        await _require_unbroken(session, kept, head)
        if kept.link == head:
            return kept
    if kept is None or anew:
        record(
            transaction,
            time=time,
            actor=SYSTEM,
            action="audit.sealed_anew",
            target_kind="audit",
            target_id=str(head.number),
            detail={"number": head.number, "hash": head.hash},
        )
    mac = _mac(secret_key, head, time)
    await session.merge(AuditSeal(id=_ID, number=head.number, hash=head.hash, time=time, mac=mac))
    return Seal(head, time, is_ours=True)


async def _require_unbroken(session: AsyncSession, kept: Seal, head: Link) -> None:
    if not kept.is_ours:
        raise SealBroken(
            "The seal was made with another key or was changed. Run 'controlroom audit verify'; if only the key was "
            "changed, run 'controlroom audit seal --anew' once."
        )
    stands = await session.scalar(select(AuditEntry.hash).where(AuditEntry.number == kept.link.number))
    if stands != kept.link.hash:
        raise SealBroken(
            f"Sealed was entry {kept.link.number}, which is gone or was replaced; the newest is {head.number}. "
            "Run 'controlroom audit verify' and compare with a backup."
        )


def _mac(secret_key: bytes, link: Link, time: datetime) -> str:
    key = hmac.digest(secret_key, _PURPOSE, hashlib.sha256)
    text = f"{link.number} {link.hash} {time.astimezone(UTC).isoformat()}"
    return hmac.digest(key, text.encode(), hashlib.sha256).hex()
