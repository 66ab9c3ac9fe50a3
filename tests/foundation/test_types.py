"""Column types and the small promises of transactions, on a database of each kind."""

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

import pytest
from sqlalchemy import select
from sqlalchemy.exc import StatementError

from controlroom.devices.models import Device, DeviceMode, DevicePool
from controlroom.foundation.database import Choice, Database, Transaction
from controlroom.foundation.errors import Invalid

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def pool(name: str, at: datetime = NOON) -> DevicePool:
    return DevicePool(id=f"pol_{name}", name=name, description="", created_at=at, updated_at=at, revision=1)


async def test_a_moment_comes_back_as_it_was_whatever_its_zone(database: Database) -> None:
    local = NOON.astimezone(timezone(timedelta(hours=5, minutes=30))).replace(microsecond=123456)
    async with database.write() as transaction:
        transaction.session.add(pool("a", local))
    async with database.read() as session:
        kept = await session.scalar(select(DevicePool.created_at))
    assert kept == local
    assert kept is not None
    assert kept.utcoffset() == timedelta(0)


async def test_a_choice_keeps_to_its_enumeration(database: Database) -> None:
    async with database.read() as session:
        query = select(Device.id).where(Device.mode == "asleep")
        with pytest.raises(StatementError, match="asleep"):
            await session.scalar(query)

    class Long(StrEnum):
        ONE = "one"

    assert Choice(Long).process_result_value("one", None) is Long.ONE  # type: ignore[arg-type]  # needs no dialect
    assert all(len(mode.value) <= 16 for mode in DeviceMode)


async def test_what_a_reader_changes_is_thrown_away(database: Database) -> None:
    async with database.read() as session:
        session.add(pool("a"))
        await session.flush()
    async with database.read() as session:
        assert (await session.scalars(select(DevicePool.id))).all() == []


async def test_steps_before_the_commit_run_once_in_the_order_of_their_names(database: Database) -> None:
    ran: list[tuple[str, int]] = []

    async def late(transaction: Transaction) -> None:
        ran.append(("late", len(transaction.pending["90-late"])))

    async def early(transaction: Transaction) -> None:
        ran.append(("early", len(transaction.pending["10-early"])))

    async with database.write() as transaction:
        transaction.add_pending("90-late", 1, late)
        transaction.add_pending("10-early", 1, early)
        transaction.add_pending("90-late", 2, late)
        assert ran == []
    assert ran == [("early", 1), ("late", 2)]


async def test_a_text_that_postgresql_cannot_keep_is_refused_and_nothing_is_written(
    database: Database,
) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite keeps such texts")
    with pytest.raises(Invalid, match="NUL character"):
        async with database.write() as transaction:
            transaction.session.add(pool("a"))
            await transaction.session.flush()
            transaction.session.add(pool("b\0"))
    async with database.read() as session:
        assert (await session.scalars(select(DevicePool.id))).all() == []
        with pytest.raises(Invalid):
            async with database.read() as other:
                await other.scalar(select(DevicePool.id).where(DevicePool.revision == 2**40))
