"""The migrations make the tables that the code declares, once, however many start together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from controlroom.foundation.database import Database
from controlroom.server.migrations.upgrade import (
    MigrationGoesOn,
    NewerDatabase,
    configuration,
    known_revisions,
    newest_revision,
    upgrade,
)
from controlroom.server.schema import METADATA


@pytest.fixture
async def empty(database_url: str) -> Database:
    return Database(database_url)


def _differences(connection: Connection) -> list[object]:
    """Return what differs; the queue's index, which descends, cannot be compared and is looked for by its name."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return [found for found in compare_metadata(context, METADATA) if "ix_runs_queue" not in str(found)]


@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
async def test_a_migrated_database_is_what_the_code_declares(empty: Database) -> None:
    assert await upgrade(empty) == ("", newest_revision())
    async with empty.engine.connect() as connection:
        assert await connection.run_sync(_differences) == []
        indexes = await connection.run_sync(
            lambda sync: {each["name"] for each in inspect(sync).get_indexes("runs")}
        )
        assert "ix_runs_queue" in indexes
    await empty.close()


async def test_a_second_upgrade_changes_nothing(empty: Database) -> None:
    await upgrade(empty)
    assert await upgrade(empty) == (newest_revision(), newest_revision())
    await empty.close()


def test_the_files_are_numbered_by_their_revisions() -> None:
    script = ScriptDirectory.from_config(configuration())
    assert {each.revision for each in script.walk_revisions()} == known_revisions()
    assert script.get_heads() == [newest_revision()]


async def test_nodes_that_start_together_migrate_once(database_url: str) -> None:
    nodes = [Database(database_url) for _ in range(3)]
    results = await asyncio.gather(*(upgrade(node) for node in nodes))
    assert sorted(before for before, _ in results) == ["", newest_revision(), newest_revision()]
    for node in nodes:
        await node.close()


@asynccontextmanager
async def held(database: Database) -> AsyncIterator[None]:
    """Hold the database as a node does while it migrates."""
    async with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(7203000)"))
        yield


class Waiting:
    """Stands in for the log of the migration, and knows once a node has said that it waits."""

    def __init__(self) -> None:
        self.said = asyncio.Event()

    def info(self, event: str, **_: object) -> None:
        if event == "database.awaited":
            self.said.set()


async def _until_somebody_waits(holder: Database, waiting: Waiting) -> None:
    """PostgreSQL's own list of locks shows who waits for one; at SQLite a node says so before it tries again."""
    if holder.is_sqlite:
        await waiting.said.wait()
        return
    waits = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    async with holder.read() as session:
        while not await session.scalar(waits):
            await asyncio.sleep(0)


async def test_a_node_waits_for_another_that_migrates_longer_than_a_lock_is_waited_for(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controlroom.foundation.database.SQLITE_BUSY_SECONDS", 0.01)
    waiting = Waiting()
    monkeypatch.setattr("controlroom.server.migrations.upgrade._log", waiting)
    first, second = Database(database_url), Database(database_url)
    async with asyncio.timeout(60):
        async with held(first):
            upgrading = asyncio.create_task(upgrade(second))
            await _until_somebody_waits(first, waiting)
            assert not upgrading.done()
        assert await upgrading == ("", newest_revision())
    await first.close()
    await second.close()


async def test_a_node_gives_up_in_words_where_the_database_stays_held(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controlroom.foundation.database.SQLITE_BUSY_SECONDS", 0.01)
    first, second = Database(database_url), Database(database_url)
    async with held(first):
        with pytest.raises(MigrationGoesOn, match=r"more than 0\.3 seconds.*start this one again"):
            await upgrade(second, wait_seconds=0.3)
    assert await upgrade(second) == ("", newest_revision())
    await first.close()
    await second.close()


async def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/newer.db")
    await upgrade(database)
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerDatabase, match="9999"):
        await upgrade(database)
    await database.close()
