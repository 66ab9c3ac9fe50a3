"""The chain: right under many writers at once, and telling of whatever was done to it behind its back."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, update

from controlroom.audit.actor import SYSTEM
from controlroom.audit.chain import GENESIS_HASH, Link
from controlroom.audit.entry import entry_hash
from controlroom.audit.models import AuditEntry
from controlroom.audit.service import ChainReport, record, verify
from controlroom.foundation.database import Database, Transaction
from controlroom.foundation.outbox import emit

START = datetime(2026, 1, 1, tzinfo=UTC)
TABLE = AuditEntry.__table__


def add(transaction: Transaction, name: str, minute: int = 0) -> None:
    record(
        transaction,
        time=START + timedelta(minutes=minute),
        actor=SYSTEM,
        action="thing.done",
        target_kind="thing",
        target_id=name,
        detail={"name": name},
    )


async def fill(database: Database, entries: int) -> None:
    async with database.write() as transaction:
        for number in range(1, entries + 1):
            add(transaction, f"t{number}")


async def faults(database: Database) -> dict[int, str]:
    return {fault.number: fault.problem for fault in (await report(database)).faults}


async def report(database: Database) -> ChainReport:
    async with database.read() as session:
        return await verify(session)


async def row_of(transaction: Transaction, number: int) -> dict[str, Any]:
    found = await transaction.session.execute(select(*TABLE.columns).where(TABLE.c.number == number))
    return dict(found.mappings().one())


async def test_an_empty_log_and_one_of_several_batches_are_whole(database: Database) -> None:
    assert (await report(database)).newest == Link(0, GENESIS_HASH)
    await fill(database, 2_100)
    found = await report(database)
    assert (found.entries, found.newest.number, found.faults) == (2_100, 2_100, ())


async def test_a_transaction_that_fails_leaves_no_entry_and_no_gap(database: Database) -> None:
    async def fail() -> None:
        async with database.write() as transaction:
            add(transaction, "lost")
            raise RuntimeError

    await fill(database, 1)
    with pytest.raises(RuntimeError):
        await fail()
    await fill(database, 1)
    assert (await report(database)).entries == 2
    assert await faults(database) == {}


async def test_many_writers_at_once_make_one_chain(database: Database) -> None:
    numbers = count()

    async def writer() -> None:
        for _ in range(8):
            async with database.write() as transaction:
                for _ in range(3):
                    add(transaction, f"t{next(numbers)}")
                emit(transaction, time=START, kind="thing.done", subject="t", data={})

    await asyncio.gather(*(writer() for _ in range(16)))
    found = await report(database)
    assert (found.entries, found.newest.number, found.faults) == (16 * 8 * 3, 16 * 8 * 3, ())
    async with database.read() as session:
        assert await session.scalar(select(func.count(func.distinct(TABLE.c.target_id)))) == 16 * 8 * 3


async def test_writers_of_two_nodes_make_one_chain(database: Database, database_url: str) -> None:
    other = Database(database_url)
    try:
        await asyncio.gather(*(fill(each, 2) for each in [database, other] * 12))
        found = await report(other)
        assert (found.entries, found.faults) == (48, ())
    finally:
        await other.close()


async def test_a_changed_entry_is_found_and_named(database: Database) -> None:
    await fill(database, 9)
    async with database.read() as session:
        whole = dict((await session.execute(select(TABLE).where(TABLE.c.number == 4))).mappings().one())
    changes: list[dict[str, Any]] = [
        {"actor_name": "Mallory"},
        {"action": "thing.undone"},
        {"outcome": "failed"},
        {"time": START + timedelta(microseconds=1)},
        {"detail": {"name": "other"}},
        {"detail": {}},
        {"previous_hash": "f" * 64},
        {"hash": "f" * 64},
    ]
    for change in changes:
        async with database.write() as transaction:
            await transaction.session.execute(
                update(TABLE).where(TABLE.c.number == 4).values({**whole, **change})
            )
        found = await faults(database)
        assert found.pop(4) == "was changed after it was written"
        assert set(found) == ({5} if "hash" in change else set())  # the next names the hash that was


async def test_a_changed_entry_with_a_fitting_hash_is_found_by_the_next(database: Database) -> None:
    await fill(database, 9)
    async with database.write() as transaction:
        row = {**await row_of(transaction, 4), "actor_name": "Mallory"}
        row["hash"] = entry_hash(row)
        await transaction.session.execute(update(TABLE).where(TABLE.c.number == 4).values(row))
    assert list(await faults(database)) == [5]


async def test_missing_entries_are_named(database: Database) -> None:
    await fill(database, 12)
    async with database.write() as transaction:
        await transaction.session.execute(delete(TABLE).where(TABLE.c.number.in_([1, 5, 8, 9, 10])))
    assert await faults(database) == {
        1: "entry 1 is missing",
        5: "entry 5 is missing",
        8: "entries 8 to 10 are missing",
    }


async def test_entries_that_changed_places_are_named_with_their_own_numbers(database: Database) -> None:
    await fill(database, 12)
    await swap(database, 4, 9)
    assert await faults(database) == {
        4: "stands in the wrong place: it was written as entry 9",
        9: "stands in the wrong place: it was written as entry 4",
    }


async def test_a_gap_that_was_closed_by_moving_up_is_found(database: Database) -> None:
    await fill(database, 7)
    async with database.write() as transaction:
        await transaction.session.execute(delete(TABLE).where(TABLE.c.number == 4))
        for number in (5, 6, 7):
            await transaction.session.execute(
                update(TABLE).where(TABLE.c.number == number).values(number=number - 1)
            )
    found = await faults(database)
    assert found == {
        number: f"stands in the wrong place: it was written as entry {number + 1}" for number in (4, 5, 6)
    }


async def test_an_entry_that_was_put_in_is_found(database: Database) -> None:
    await fill(database, 5)
    async with database.write() as transaction:
        row = {**await row_of(transaction, 5), "target_id": "forged", "previous_hash": "e" * 64, "number": 6}
        row["hash"] = entry_hash(row)
        await transaction.session.execute(insert(TABLE), row)
    assert list(await faults(database)) == [6]


async def test_a_ruined_log_is_told_in_twenty_faults(database: Database) -> None:
    await fill(database, 100)
    async with database.write() as transaction:
        await transaction.session.execute(update(TABLE).values(actor_name="Mallory"))
    assert len((await report(database)).faults) == 20


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(1, 8), kind=st.sampled_from(["change", "remove", "swap"]), other=st.integers(1, 8))
async def test_whatever_is_done_to_one_entry_it_is_the_one_that_is_named(
    database: Database, number: int, kind: str, other: int
) -> None:
    async with database.write() as transaction:
        await transaction.session.execute(delete(TABLE))
    await fill(database, 9)
    if kind == "swap" and number != other:
        await swap(database, number, other)
        assert set(await faults(database)) == {number, other}
        return
    async with database.write() as transaction:
        statement = (
            delete(TABLE).where(TABLE.c.number == number)
            if kind == "remove"
            else update(TABLE).where(TABLE.c.number == number).values(address="203.0.113.9")
        )
        await transaction.session.execute(statement)
    assert list(await faults(database)) == [number]


async def swap(database: Database, one: int, other: int) -> None:
    async with database.write() as transaction:
        for old, new in ((one, 1_000), (other, one), (1_000, other)):
            await transaction.session.execute(update(TABLE).where(TABLE.c.number == old).values(number=new))
