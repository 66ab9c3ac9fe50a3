"""Adds entries to the audit log and proves that nobody changed it."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit.actor import Actor
from controlroom.audit.models import AuditEntry, AuditOutcome
from controlroom.foundation.database import Transaction

GENESIS_HASH = "0" * 64
"""What the first entry names as the hash before it."""

_STEP = "80-audit"
_LOCK = 7_203_002  # any number that no other advisory lock of ours uses
_NAME_LENGTH = 200
_READ_ROWS = 2_000

_canonical = msgspec.json.Encoder(order="deterministic")


def record(
    transaction: Transaction,
    *,
    time: datetime,
    actor: Actor,
    action: str,
    target_kind: str,
    target_id: str,
    target_name: str = "",
    outcome: AuditOutcome = AuditOutcome.DONE,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry to the transaction; it gets its number and hash just before the commit.

    ``action`` is ``room.verb`` in the past tense, such as ``run.requested``. ``detail`` holds JSON values and never
    a secret.
    """
    row: dict[str, Any] = {
        "time": time,
        "actor_kind": str(actor.kind),
        "actor_id": actor.id,
        "actor_name": actor.name[:_NAME_LENGTH],
        "action": action,
        "target_kind": target_kind,
        "target_id": target_id,
        "target_name": target_name[:_NAME_LENGTH],
        "outcome": str(outcome),
        "address": actor.address,
        "request_id": actor.request_id,
        "detail": dict(detail or {}),
    }
    transaction.add_pending(_STEP, row, _write)


async def _write(transaction: Transaction) -> None:
    session = transaction.session
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    last = (
        await session.execute(
            select(AuditEntry.number, AuditEntry.hash).order_by(AuditEntry.number.desc()).limit(1)
        )
    ).one_or_none()
    number, previous = (last.number, last.hash) if last else (0, GENESIS_HASH)
    rows = transaction.pending[_STEP]
    for row in rows:
        number += 1
        row["number"] = number
        row["previous_hash"] = previous
        previous = row["hash"] = entry_hash(row)
    await session.execute(insert(AuditEntry), rows)


def entry_hash(row: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hex, of an entry's fields in a canonical JSON form (sorted keys, no blanks)."""
    body = {name: value for name, value in row.items() if name != "hash"}
    body["time"] = row["time"].timestamp()
    return hashlib.sha256(_canonical.encode(body)).hexdigest()


@dataclass(frozen=True, slots=True)
class ChainFault:
    """Where the chain does not hold: the entry's number and what is wrong with it."""

    number: int
    problem: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What `verify` found: how many entries were read, the last hash, and the first faults."""

    entries: int
    last_hash: str
    faults: tuple[ChainFault, ...]


_MOST_FAULTS = 20


async def verify(session: AsyncSession) -> ChainReport:
    """Read the whole chain and say which entries were changed, are missing or stand in another's place."""
    faults: list[ChainFault] = []
    number, previous = 0, GENESIS_HASH
    async for row in _rows(session):
        if row["number"] != number + 1:
            missing = (
                f"{number + 1}" if row["number"] == number + 2 else f"{number + 1} to {row['number'] - 1}"
            )
            faults.append(ChainFault(number + 1, f"entry {missing} is missing"))
        elif row["previous_hash"] != previous:
            faults.append(
                ChainFault(
                    row["number"], "does not follow the entry before it: one of the two was replaced or moved"
                )
            )
        if entry_hash(row) != row["hash"]:
            faults.append(ChainFault(row["number"], "was changed after it was written"))
        number, previous = row["number"], row["hash"]
        if len(faults) >= _MOST_FAULTS:
            break
    return ChainReport(number, previous, tuple(faults))


async def _rows(session: AsyncSession) -> AsyncIterator[dict[str, Any]]:
    after = 0
    columns = AuditEntry.__table__.columns
    while True:
        found = await session.execute(
            select(*columns).where(columns.number > after).order_by(columns.number).limit(_READ_ROWS)
        )
        rows = found.mappings().all()
        for row in rows:
            yield dict(row)
        if len(rows) < _READ_ROWS:
            return
        after = rows[-1]["number"]
