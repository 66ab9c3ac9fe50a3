"""Retention: old entries go, and what is left can still be proved, and what went, with its export."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from audit.conftest import KEY, Fill
from audit.tampering import take_off_the_guard
from conftest import SteeredClock
from controlroom.audit import retention
from controlroom.audit.actor import SYSTEM
from controlroom.audit.chain import Link
from controlroom.audit.errors import ExportUnreadable, RetentionRefused
from controlroom.audit.export import read_exported
from controlroom.audit.models import AuditAnchor, AuditDelivery, AuditEntry
from controlroom.audit.service import AuditService, ChainReport, verify
from controlroom.audit.signing import Signer
from controlroom.foundation.database import Database


@pytest.fixture(autouse=True)
def _short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STRETCH_ENTRIES", 4)


async def report(database: Database, **given: object) -> ChainReport:
    async with database.read() as session:
        return await verify(session, KEY, **given)  # type: ignore[arg-type]  # given by tests


async def filled(audit: AuditService, fill: Fill, clock: SteeredClock) -> Link:
    """Make ten old entries and five new ones, sealed; return the link of the sixth."""
    await fill(10)
    sixth = await audit.entry(6)
    clock.advance(86_400)
    await fill(5)
    await audit.seal()
    return Link(sixth.number, sixth.hash)


async def test_old_entries_go_and_the_rest_is_proved_from_the_anchors(
    guarded: Database, audit: AuditService, fill: Fill, clock: SteeredClock, signer: Signer
) -> None:
    noted = await filled(audit, fill, clock)
    removed = await audit.retain(SYSTEM, clock.now() - timedelta(hours=12))
    assert (removed.count, removed.first, removed.last) == (10, 1, 10)
    found = await report(guarded, trusted_keys=[await signer.public_key()])
    assert (found.faults, found.removed) == ((), 10)
    async with guarded.read() as session:
        assert await session.scalar(select(func.min(AuditEntry.number))) == 11
        assert await session.scalar(select(func.count()).select_from(AuditAnchor)) == 3
        told = (await session.scalars(select(AuditEntry).where(AuditEntry.action == "audit.removed"))).all()
    assert [(entry.detail["first"], entry.detail["last"]) for entry in told] == [(1, 4), (5, 8), (9, 10)]
    (fault,) = (await report(guarded, noted=noted)).faults
    assert (fault.number, "prove it with the export" in fault.problem) == (6, True)
    again = await audit.retain(SYSTEM, clock.now() - timedelta(hours=12))
    assert again.count == 0


async def test_what_was_exported_before_is_proved_as_a_part_of_the_log(
    guarded: Database, audit: AuditService, fill: Fill, clock: SteeredClock, tmp_path: Path
) -> None:
    noted = await filled(audit, fill, clock)
    path = tmp_path / "old.jsonl"
    await audit.retain(SYSTEM, clock.now() - timedelta(hours=12), export_to=path)
    lines = path.read_text("utf-8").splitlines()
    rows = read_exported(lines)
    assert [row["number"] for row in rows] == list(range(1, 11))
    whole = await report(guarded, noted=noted, exported=rows)
    assert (whole.faults, whole.entries) == ((), whole.newest.number)
    changed = [json.loads(line) for line in lines]
    changed[4]["detail"] = {"number": 40}
    forged = read_exported(json.dumps(row) for row in changed)
    faults = (await report(guarded, exported=forged)).faults
    assert [(fault.number, fault.problem) for fault in faults] == [(5, "was changed after it was written")]
    part = await report(guarded, noted=noted, exported=rows[5:])
    assert part.faults == ()
    with pytest.raises(RetentionRefused, match="never overwritten"):
        await audit.retain(SYSTEM, clock.now(), export_to=path)


@pytest.mark.parametrize("change", [{"count": 3}, {"hash": "f" * 64}, {"signature": "AAAA"}])
async def test_a_changed_anchor_is_found(
    guarded: Database, audit: AuditService, fill: Fill, clock: SteeredClock, change: dict[str, object]
) -> None:
    await filled(audit, fill, clock)
    await audit.retain(SYSTEM, clock.now() - timedelta(hours=12))
    async with guarded.write() as transaction:
        await transaction.session.execute(
            update(AuditAnchor).where(AuditAnchor.first_number == 5).values(change)
        )
    faults = (await report(guarded)).faults
    assert (faults[0].number, "signature does not fit" in faults[0].problem) == (5, True)


async def test_entries_removed_behind_an_anchor_of_someone_else_are_found(
    guarded: Database, audit: AuditService, fill: Fill, clock: SteeredClock, signer: Signer, tmp_path: Path
) -> None:
    await filled(audit, fill, clock)
    mallory = AuditService(guarded, clock, KEY, Signer(tmp_path / "mallory"))
    await mallory.retain(SYSTEM, clock.now() - timedelta(hours=12))
    faults = (await report(guarded, trusted_keys=[await signer.public_key()])).faults
    assert all("another key" in fault.problem for fault in faults)
    assert len(faults) == 3


async def test_what_was_tampered_with_is_evidence_and_stays(
    guarded: Database, audit: AuditService, fill: Fill, clock: SteeredClock
) -> None:
    await filled(audit, fill, clock)
    await take_off_the_guard(guarded)
    async with guarded.write() as transaction:
        await transaction.session.execute(
            update(AuditEntry).where(AuditEntry.number == 6).values(actor_name="Mallory")
        )
    with pytest.raises(RetentionRefused, match="Entry 6"):
        await audit.retain(SYSTEM, clock.now() - timedelta(hours=12))
    assert (await audit.entry(6)).actor_name == "Mallory"
    found = await report(guarded)
    assert [fault.number for fault in found.faults] == [6]


async def test_what_is_young_sealed_or_not_sent_yet_stays(
    guarded: Database, audit: AuditService, fill: Fill, clock: SteeredClock, signer: Signer
) -> None:
    await filled(audit, fill, clock)
    sending = AuditService(guarded, clock, KEY, signer, is_sent=True)
    async with guarded.write() as transaction:
        transaction.session.add(AuditDelivery(name="syslog", number=3, holder="", failure=""))
    assert (await sending.retain(SYSTEM, clock.now() - timedelta(hours=12))).last == 3
    clock.advance(86_400)
    everything = await audit.retain(SYSTEM, clock.now())
    assert everything.last == 14  # the seal names entry 15
    assert (await report(guarded)).faults == ()


@pytest.mark.parametrize("text", ["", "{}", "no json", '{"number": 1, "time": "never"}'])
def test_what_is_no_export_is_refused(text: str) -> None:
    with pytest.raises(ExportUnreadable):
        read_exported([text])
