"""Fixtures that tests of several rooms share: a steered clock, a database of each kind."""

import itertools
import os
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


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh, empty database: each test runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/test.db"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    name = f"test_{os.getpid()}_{next(_numbers)}"
    server.execute(f"CREATE DATABASE {name}")
    yield server.url(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with all tables."""
    from controlroom.server.schema import create_tables

    opened = Database(database_url)
    await create_tables(opened)
    yield opened
    await opened.close()
