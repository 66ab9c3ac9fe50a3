"""The driver that goes to a connection's thread once a statement: what it gives is what SQLite gives."""

import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from controlroom.foundation.sqlite import OneTripDriver


@pytest.fixture
def driver() -> OneTripDriver:
    return OneTripDriver()


@pytest.fixture
async def connection(tmp_path: Path, driver: OneTripDriver) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{tmp_path}/one.db", module=driver, connect_args={"check_same_thread": False}
    )
    async with engine.begin() as opened:
        await opened.execute(text("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"))
        await opened.execute(
            text("INSERT INTO things (name) VALUES (:name)"), [{"name": each} for each in "abc"]
        )
        yield opened
    await engine.dispose()


async def test_rows_columns_and_counts_are_those_of_the_statement(connection: AsyncConnection) -> None:
    found = await connection.execute(text("SELECT id, name FROM things ORDER BY id"))
    assert list(found.keys()) == ["id", "name"]
    assert found.fetchmany(2) == [(1, "a"), (2, "b")]
    assert found.fetchall() == [(3, "c")]
    changed = await connection.execute(text("UPDATE things SET name = name || '!' WHERE id > 1"))
    assert changed.rowcount == 2
    made = await connection.execute(text("INSERT INTO things (name) VALUES ('d')"))
    assert made.lastrowid == 4


async def test_a_fault_is_told_and_the_next_statement_works(connection: AsyncConnection) -> None:
    with pytest.raises(IntegrityError, match="UNIQUE"):
        await connection.execute(text("INSERT INTO things (name) VALUES ('a')"))
    with pytest.raises(OperationalError, match="no such table"):
        await connection.execute(text("SELECT * FROM absent"))
    assert await connection.scalar(text("SELECT count(*) FROM things")) == 3


@pytest.mark.parametrize("brief", [False, True])
async def test_only_statements_of_brief_transactions_stay_in_the_loops_thread(
    connection: AsyncConnection, driver: OneTripDriver, brief: bool
) -> None:
    raw = await connection.get_raw_connection()
    threads: list[int] = []
    adapted = raw.driver_connection
    assert adapted is not None
    await adapted.create_function("note", 0, lambda: threads.append(threading.get_ident()))
    driver.brief = brief
    await connection.execute(text("SELECT note()"))
    driver.brief = False
    assert (threads == [threading.get_ident()]) is brief


async def test_results_that_stream_are_read_bit_by_bit(connection: AsyncConnection) -> None:
    seen: list[Any] = []
    async with connection.stream(text("SELECT name FROM things ORDER BY name")) as rows:
        async for row in rows:
            seen.append(row.name)
    assert seen == ["a", "b", "c"]
