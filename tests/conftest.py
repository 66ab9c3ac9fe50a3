"""Fixtures that tests of several rooms share: a steered clock, a database of each kind."""

import asyncio
import itertools
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controlroom.foundation.database import Database
from servers.postgresql import PostgresqlServer, postgresql_server

_numbers = itertools.count()


class SteeredClock:
    """A clock that moves only when a test says so."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, 8, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> SteeredClock:
    return SteeredClock()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """One private server a test session; tests make their own databases in it."""
    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="session")
def filled_postgresql(postgresql: PostgresqlServer) -> str:
    """The name of a database with all tables, which tests copy: that is quicker than to make the tables anew."""
    postgresql.execute("CREATE DATABASE filled")
    asyncio.run(_make_tables(postgresql.url("filled")))
    return "filled"


@pytest.fixture(scope="session")
def filled_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, which tests copy."""
    path = tmp_path_factory.mktemp("filled") / "filled.db"
    asyncio.run(_make_tables(f"sqlite+aiosqlite:///{path}"))
    return path


async def _make_tables(url: str) -> None:
    from controlroom.server.schema import create_tables

    database = Database(url)
    await create_tables(database)
    await database.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh database: each test runs once on SQLite and once on PostgreSQL.

    It is empty, unless the test takes `database` as well.
    """
    with_tables = "database" in request.fixturenames
    if request.param == "sqlite":
        if with_tables:
            shutil.copyfile(request.getfixturevalue("filled_sqlite"), tmp_path / "test.db")
        yield f"sqlite+aiosqlite:///{tmp_path}/test.db"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    name = f"test_{os.getpid()}_{next(_numbers)}"
    template = request.getfixturevalue("filled_postgresql") if with_tables else "template1"
    server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.url(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with all tables."""
    opened = Database(database_url)
    yield opened
    await opened.close()
