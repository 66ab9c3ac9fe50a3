"""Transactions: whole or not at all, announced only once they stand, and said plainly where they cannot be had."""

import asyncio
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controlroom.foundation import outbox
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Unavailable

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_failed_transaction_leaves_and_announces_nothing(database: Database) -> None:
    woken: list[str] = []

    async def note(topics: Sequence[str]) -> None:
        woken.extend(topics)

    database.wake_with(note)
    with pytest.raises(RuntimeError, match="on purpose"):
        async with database.write() as transaction:
            outbox.emit(transaction, time=NOW, kind="run.queued", subject="run_1", data={})
            raise RuntimeError("on purpose")
    async with database.read() as session:
        assert await outbox.read_events(session, after=0) == []
    assert woken == []
    async with database.write() as transaction:
        outbox.emit(transaction, time=NOW, kind="run.queued", subject="run_1", data={"a": 1})
    assert woken == [outbox.TOPIC]


async def test_positions_grow_in_commit_order_however_many_write(database: Database) -> None:
    async def write(number: int) -> None:
        async with database.write() as transaction:
            outbox.emit(transaction, time=NOW, kind="run.queued", subject=f"run_{number}", data={})

    seen: list[int] = []

    async def follow() -> None:
        while len(seen) < 40:
            async with database.read() as session:
                seen.extend(
                    event.position
                    for event in await outbox.read_events(session, after=seen[-1] if seen else 0)
                )
            await asyncio.sleep(0)

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(follow())
        for number in range(40):
            tasks.create_task(write(number))
    assert len(set(seen)) == 40


async def test_brief_transactions_are_whole_or_not_at_all_and_take_turns_with_others(
    database: Database,
) -> None:
    with pytest.raises(RuntimeError, match="on purpose"):
        async with database.write(brief=True) as transaction:
            outbox.emit(transaction, time=NOW, kind="run.queued", subject="never", data={})
            await transaction.session.flush()
            raise RuntimeError("on purpose")

    async def write(number: int) -> None:
        async with database.write(brief=number % 2 == 0) as transaction:
            outbox.emit(transaction, time=NOW, kind="run.queued", subject=f"run_{number}", data={})

    await asyncio.gather(*(write(number) for number in range(20)))
    async with database.read() as session:
        found = await outbox.read_events(session, after=0)
    assert sorted(event.subject for event in found) == sorted(f"run_{number}" for number in range(20))


async def test_a_locked_database_is_said_plainly_and_nothing_is_lost(tmp_path: Path) -> None:
    from controlroom.server.schema import create_tables

    database = Database(f"sqlite+aiosqlite:///{tmp_path}/locked.db")
    await create_tables(database)
    other = sqlite3.connect(tmp_path / "locked.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable) as refused:
        async with database.write():
            pytest.fail("the transaction must not begin")
    assert refused.value.retry_after_seconds is not None
    other.execute("COMMIT")
    async with database.write() as transaction:
        outbox.emit(transaction, time=NOW, kind="run.queued", subject="run_1", data={})
    await database.close()


async def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(Exception, match="without a time zone"):
        async with database.write() as transaction:
            outbox.emit(transaction, time=datetime(2026, 1, 1), kind="run.queued", subject="r", data={})  # noqa: DTZ001  # on purpose
