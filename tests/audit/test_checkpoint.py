"""Checkpoints: small, signed, kept elsewhere, and telling whatever was done to the log since."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from audit.conftest import KEY, Fill
from audit.tampering import take_off_the_guard
from conftest import SteeredClock
from controlroom.audit.actor import SYSTEM
from controlroom.audit.chain import GENESIS_HASH, Link
from controlroom.audit.checkpoint import Checkpoint, read_checkpoint
from controlroom.audit.entry import entry_hash
from controlroom.audit.errors import CheckpointUnreadable, LogIsEmpty
from controlroom.audit.models import AuditEntry, AuditSeal
from controlroom.audit.service import AuditService, verify
from controlroom.audit.signing import KEY_FILE, Signer
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Unavailable

TABLE = AuditEntry.__table__


async def problems(database: Database, checkpoint: Checkpoint, *keys: str) -> list[tuple[int, str]]:
    async with database.read() as session:
        report = await verify(session, checkpoint=checkpoint, trusted_keys=keys)
    return [(fault.number, fault.problem) for fault in report.faults]


async def test_a_checkpoint_comes_back_from_its_document_and_holds(
    guarded: Database, audit: AuditService, fill: Fill
) -> None:
    with pytest.raises(LogIsEmpty):
        await audit.checkpoint(SYSTEM)
    await fill(4)
    made = await audit.checkpoint(SYSTEM)
    kept = read_checkpoint(json.dumps(made.document()))
    assert kept == made
    assert (kept.link.number, kept.is_signed) == (4, True)
    await fill(3)
    assert await problems(guarded, kept, await audit.public_key()) == []
    assert (await audit.entry(5)).action == "audit.checkpoint_made"
    state = await audit.state()
    assert state.checkpoint == made


async def test_a_log_written_anew_with_the_servers_own_key_is_shown_by_the_checkpoint(
    guarded: Database, audit: AuditService, fill: Fill, clock: SteeredClock
) -> None:
    """Who has the database and the seal's key can make all inside the database fit; the checkpoint lies elsewhere."""
    await fill(5)
    kept = await audit.checkpoint(SYSTEM)
    await take_off_the_guard(guarded)
    async with guarded.write() as transaction:
        rows = [dict(row) for row in (await transaction.session.execute(TABLE.select().order_by(TABLE.c.number))).mappings()]  # fmt: skip
        previous = GENESIS_HASH
        for row in rows:
            row["actor_name"] = "Mallory" if row["number"] == 3 else row["actor_name"]
            row["previous_hash"] = previous
            previous = row["hash"] = entry_hash(row)
            await transaction.session.execute(
                update(TABLE).where(TABLE.c.number == row["number"]).values(row)
            )
        await transaction.session.execute(delete(AuditSeal))
    await audit.seal()
    async with guarded.read() as session:
        assert (await verify(session, KEY)).faults == ()
    (fault,) = await problems(guarded, kept)
    assert fault[0] == 5
    assert "is not the one that the checkpoint names" in fault[1]


async def test_a_log_cut_off_before_the_checkpoint_is_shown(
    guarded: Database, audit: AuditService, fill: Fill
) -> None:
    await fill(5)
    kept = await audit.checkpoint(SYSTEM)
    await take_off_the_guard(guarded)
    async with guarded.write() as transaction:
        await transaction.session.execute(delete(TABLE).where(TABLE.c.number > 3))
    assert await problems(guarded, kept) == [
        (4, "entries 4 to 5 are missing at the end: the checkpoint names entry 5")
    ]


async def test_a_changed_checkpoint_and_one_of_another_key_are_refused(
    guarded: Database, audit: AuditService, fill: Fill, tmp_path: Path
) -> None:
    await fill(3)
    made = await audit.checkpoint(SYSTEM)
    earlier = replace(made, link=Link(2, made.link.hash))
    assert "signature does not fit" in (await problems(guarded, earlier))[0][1]
    other = await Signer(tmp_path / "other").public_key()
    assert "another key" in (await problems(guarded, made, other))[0][1]
    assert not replace(made, public_key=other).is_signed
    assert not replace(made, signature="no base64 at all").is_signed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"kind": "controlroom-audit-checkpoint", "version": 2}',
        '{"kind": "controlroom-audit-checkpoint", "version": 1, "number": 0, "hash": "x", "time": "2026-01-01T00:00:00Z"}',
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(CheckpointUnreadable):
        read_checkpoint(text)


async def test_the_key_is_made_once_and_is_its_owners_only(tmp_path: Path) -> None:
    first = await Signer(tmp_path / "new").public_key()
    file = tmp_path / "new" / KEY_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert await Signer(tmp_path / "new").public_key() == first
    file.write_text("no key")
    with pytest.raises(Unavailable, match="no Ed25519 key"):
        await Signer(tmp_path / "new").public_key()
