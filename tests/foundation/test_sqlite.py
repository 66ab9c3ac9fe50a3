"""The driver that goes to a connection's thread once a statement: what it gives is what SQLite gives."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from controlroom.foundation.sqlite import OneTripDriver, begin, turn_brief


def _engine(folder: Path) -> AsyncEngine:
    return create_async_engine(
        f"sqlite+aiosqlite:///{folder}/one.db",
        module=OneTripDriver(),
        connect_args={"check_same_thread": False, "timeout": 60},
    )


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[AsyncConnection]:
    engine = _engine(tmp_path)
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
    connection: AsyncConnection, brief: bool
) -> None:
    raw = await connection.get_raw_connection()
    threads: list[int] = []
    adapted = raw.driver_connection
    assert adapted is not None
    await adapted.create_function("note", 0, lambda: threads.append(threading.get_ident()))
    if brief:
        turn_brief(connection)
    await connection.execute(text("SELECT note()"))
    assert (threads == [threading.get_ident()]) is brief


async def test_results_that_stream_are_read_bit_by_bit(connection: AsyncConnection) -> None:
    seen: list[Any] = []
    async with connection.stream(text("SELECT name FROM things ORDER BY name")) as rows:
        async for row in rows:
            seen.append(row.name)
    assert seen == ["a", "b", "c"]


async def test_a_lock_that_is_not_free_is_waited_for_in_the_thread_while_the_loop_goes_on(
    tmp_path: Path,
) -> None:
    engine = _engine(tmp_path)

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        begin(connection, "BEGIN IMMEDIATE")

    async def write(opened: AsyncConnection) -> None:
        async with opened.begin():
            turn_brief(opened)
            await opened.execute(text("CREATE TABLE things (id INTEGER PRIMARY KEY)"))

    other = sqlite3.connect(tmp_path / "one.db", isolation_level=None)
    async with engine.connect() as opened:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(write(opened))
        adapted: Any = (await opened.get_raw_connection()).dbapi_connection
        async with asyncio.timeout(30):
            while adapted.is_idle:
                await asyncio.sleep(0)
        other.execute("COMMIT")
        async with asyncio.timeout(30):
            await writing
    assert other.execute("SELECT count(*) FROM things").fetchone() == (0,)
    other.close()
    await engine.dispose()


async def test_nothing_runs_beside_what_a_cancelled_caller_left_in_the_thread(
    connection: AsyncConnection,
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    adapted: Any = (await connection.get_raw_connection()).dbapi_connection

    def linger() -> None:
        begun.set()
        go_on.wait(30)

    left = asyncio.create_task(adapted.trip(linger))
    await asyncio.to_thread(begun.wait, 30)
    left.cancel()
    await asyncio.wait([left])
    turn_brief(connection)
    assert not adapted.is_brief
    asking = asyncio.create_task(connection.scalar(text("SELECT count(*) FROM things")))
    await asyncio.sleep(0)
    assert not asking.done()
    go_on.set()
    assert await asking == 3
    turn_brief(connection)
    assert adapted.is_brief
