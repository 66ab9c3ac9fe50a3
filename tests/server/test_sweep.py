"""The sweep: old events go, overdue attempts end, and after a database that was locked every lease begins anew."""

import sqlite3
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from conftest import SteeredClock
from controlroom.foundation import outbox
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Unavailable
from controlroom.foundation.live_settings import LiveSettings
from controlroom.foundation.settings import Settings
from controlroom.runs.leases import Leases
from controlroom.server.schema import create_tables
from controlroom.server.sweep import Sweep


class CountedLeases(Leases):
    """Leases that count how often the overdue were looked for."""

    __slots__ = ()
    looked = 0

    async def end_overdue(self) -> int:
        type(self).looked += 1
        return await super().end_overdue()


def sweep_of(database: Database, clock: SteeredClock) -> Sweep:
    CountedLeases.looked = 0
    settings = Settings(lease_seconds=45, event_retention_hours=1)
    return Sweep(
        database,
        clock,
        settings,
        CountedLeases(database, clock, settings, Random(1)),
        LiveSettings.of(settings),
    )


async def test_events_are_forgotten_when_they_are_too_old_to_resume_from(
    database: Database, clock: SteeredClock
) -> None:
    sweep = sweep_of(database, clock)
    for _ in range(2):
        async with database.write() as transaction:
            outbox.emit(transaction, time=clock.now(), kind="run.queued", subject="run_1", data={})
        clock.advance(1800)
    clock.advance(1)
    await sweep.sweep_once()
    async with database.read() as session:
        assert await outbox.first_position(session) == 2
        assert await outbox.last_position(session) == 2
    assert CountedLeases.looked == 1


async def test_after_a_locked_database_nothing_is_ended_for_a_lease(
    tmp_path: Path, clock: SteeredClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controlroom.foundation.database.SQLITE_BUSY_SECONDS", 0.1)
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/test.db")
    await create_tables(database)
    sweep = sweep_of(database, clock)
    with sqlite3.connect(tmp_path / "test.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await sweep.sweep_once()
        other.execute("ROLLBACK")
    other.close()
    clock.advance(44)
    await sweep.sweep_once()
    assert CountedLeases.looked == 0
    clock.moment += timedelta(seconds=1)
    await sweep.sweep_once()
    assert CountedLeases.looked == 1
    await database.close()
