"""The seal: what the chain alone cannot show."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from controlroom.audit.actor import SYSTEM
from controlroom.audit.chain import GENESIS_HASH, Link
from controlroom.audit.entry import entry_hash
from controlroom.audit.errors import SealBroken
from controlroom.audit.models import AuditEntry, AuditSeal
from controlroom.audit.service import AuditService, ChainReport, record, verify
from controlroom.foundation.database import Database
from controlroom.foundation.errors import NotFound

KEY, OTHER_KEY = b"the server's key", b"another key"
TABLE = AuditEntry.__table__


@pytest.fixture
def audit(database: Database, clock) -> AuditService:  # type: ignore[no-untyped-def]  # the steered clock is conftest's
    return AuditService(database, clock, KEY)


async def fill(database: Database, clock, entries: int, *, apart_seconds: float = 1) -> None:  # type: ignore[no-untyped-def]
    for number in range(entries):
        clock.advance(apart_seconds)
        async with database.write() as transaction:
            record(
                transaction, time=clock.now(), actor=SYSTEM, action="thing.done", target_kind="thing", target_id=str(number)
            )  # fmt: skip


async def report(database: Database, key: bytes | None = KEY, noted: Link | None = None) -> ChainReport:
    async with database.read() as session:
        return await verify(session, key, noted=noted)


async def cut_off(database: Database, behind: int) -> None:
    async with database.write() as transaction:
        await transaction.session.execute(delete(TABLE).where(TABLE.c.number > behind))


async def write_anew(database: Database, first: int) -> None:
    """Change an entry and compute everything behind it anew, as someone could who knows the code but not the key."""
    async with database.write() as transaction:
        found = await transaction.session.execute(select(*TABLE.columns).order_by(TABLE.c.number))
        previous = GENESIS_HASH
        for row in (dict(row) for row in found.mappings()):
            if row["number"] == first:
                row["actor_name"] = "Mallory"
            row["previous_hash"] = previous
            previous = row["hash"] = entry_hash(row)
            await transaction.session.execute(
                update(TABLE).where(TABLE.c.number == row["number"]).values(row)
            )


async def test_the_first_seal_says_so_in_the_log_and_later_ones_do_not(
    database: Database, audit: AuditService, clock
) -> None:  # type: ignore[no-untyped-def]
    assert await audit.seal() is None
    await fill(database, clock, 3)
    sealed = await audit.seal()
    assert sealed is not None
    assert sealed.link.number == 3
    entry = await audit.entry(4)
    assert (entry.action, entry.detail) == ("audit.sealed_anew", {"number": 3, "hash": sealed.link.hash})
    await fill(database, clock, 2)
    for _ in range(3):
        again = await audit.seal()
        assert again is not None
        assert again.link.number == 6
    found = await report(database)
    assert (found.entries, found.faults, found.sealed_number) == (6, (), 6)
    with pytest.raises(NotFound):
        await audit.entry(7)


async def test_entries_cut_off_the_end_are_found_and_named(
    database: Database, audit: AuditService, clock
) -> None:  # type: ignore[no-untyped-def]
    await fill(database, clock, 5)
    await audit.seal()
    await fill(database, clock, 2)
    await audit.seal()
    await cut_off(database, 5)
    assert (await report(database, key=None)).faults == ()  # the chain alone cannot show it
    (fault,) = (await report(database)).faults
    assert fault.number == 6
    assert fault.problem.startswith("entries 6 to 8 are missing at the end")
    with pytest.raises(SealBroken, match="entry 8"):
        await audit.seal()
    await fill(database, clock, 9)  # growing over it does not hide it
    with pytest.raises(SealBroken):
        await audit.seal()
    assert [fault.number for fault in (await report(database)).faults] == [8]


async def test_a_chain_computed_anew_is_found(database: Database, audit: AuditService, clock) -> None:  # type: ignore[no-untyped-def]
    await fill(database, clock, 5)
    await audit.seal()
    await write_anew(database, 2)
    assert (await report(database, key=None)).faults == ()
    (fault,) = (await report(database)).faults
    assert (fault.number, "written anew" in fault.problem) == (5, True)


async def test_a_forged_seal_is_found_and_kept(database: Database, audit: AuditService, clock) -> None:  # type: ignore[no-untyped-def]
    await fill(database, clock, 5)
    await audit.seal()
    await write_anew(database, 2)
    async with database.write() as transaction:
        forged = await transaction.session.scalar(select(AuditEntry.hash).where(AuditEntry.number == 5))
        await transaction.session.execute(update(AuditSeal).values(hash=forged))
    (fault,) = (await report(database)).faults
    assert "key did not make" in fault.problem
    with pytest.raises(SealBroken):
        await audit.seal()


async def test_a_seal_of_another_key_is_renewed_only_on_demand(
    database: Database, audit: AuditService, clock
) -> None:  # type: ignore[no-untyped-def]
    await fill(database, clock, 2)
    await AuditService(database, clock, OTHER_KEY).seal()
    with pytest.raises(SealBroken, match="--anew"):
        await audit.seal()
    await audit.seal(anew=True)
    found = await report(database)
    assert (found.faults, found.sealed_number) == ((), 3)
    assert (await audit.entry(4)).action == "audit.sealed_anew"


async def test_a_removed_seal_is_missed_once_the_log_is_long_enough(
    database: Database, audit: AuditService, clock
) -> None:  # type: ignore[no-untyped-def]
    await fill(database, clock, 2)
    assert (await report(database)).faults == ()  # a new server has not sealed yet
    await audit.seal()
    await fill(database, clock, 2, apart_seconds=3600)
    async with database.write() as transaction:
        await transaction.session.execute(delete(AuditSeal))
    (fault,) = (await report(database)).faults
    assert "no seal" in fault.problem
    await audit.seal()
    assert (await report(database)).faults == ()
    entries = [(await audit.entry(number)).action for number in (3, 6)]
    assert entries == ["audit.sealed_anew"] * 2  # what it hid is said in the log itself


async def test_a_link_noted_elsewhere_must_still_be_there(database: Database, clock) -> None:  # type: ignore[no-untyped-def]
    await fill(database, clock, 5)
    noted = (await report(database)).newest
    await fill(database, clock, 2)
    assert (await report(database, None, noted)).faults == ()
    await write_anew(database, 1)
    assert [fault.number for fault in (await report(database, None, noted)).faults] == [5]
    await cut_off(database, 3)
    (fault,) = (await report(database, None, noted)).faults
    assert fault.problem == "entries 4 to 5 are missing at the end: was noted entry 5"


async def test_whoever_asks_for_a_proof_soon_after_shares_the_answer(
    database: Database, audit: AuditService, clock
) -> None:  # type: ignore[no-untyped-def]
    await fill(database, clock, 2)
    first = await audit.verification()
    await fill(database, clock, 1)
    assert await audit.verification() is first
    clock.advance(timedelta(seconds=30).total_seconds())
    assert (await audit.verification()).entries == 3


async def test_a_node_goes_on_where_it_cannot_seal(database: Database, audit: AuditService, clock) -> None:  # type: ignore[no-untyped-def]
    await fill(database, clock, 3)
    await audit.seal_if_possible()
    assert (await report(database)).sealed_number == 3
    await cut_off(database, 2)
    await audit.seal_if_possible()
    assert [fault.number for fault in (await report(database)).faults] == [3]
