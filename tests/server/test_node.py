"""A node's life and its stream of events."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete

from controlroom.audit.actor import SYSTEM
from controlroom.audit.models import AuditSeal
from controlroom.audit.service import record
from controlroom.foundation import outbox
from controlroom.foundation.bus.memory import MemoryBus
from controlroom.foundation.clock import SystemClock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Invalid, Unavailable
from controlroom.foundation.outbox import Event, EventRow
from controlroom.foundation.settings import Settings
from controlroom.server.app import create_app
from controlroom.server.keys import server_key
from controlroom.server.live.events import EventHub
from controlroom.server.node import open_node

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_node_leaves_no_task_behind_and_starts_again(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    for _ in range(2):
        app = create_app(Settings(data_folder=tmp_path))
        async with app.router.lifespan_context(app):
            assert len(asyncio.all_tasks()) > len(before)
        assert asyncio.all_tasks() == before


async def test_a_node_that_ends_seals_the_audit_log(tmp_path: Path) -> None:
    async with open_node(Settings(data_folder=tmp_path), SystemClock()) as node:
        async with node.database.write() as transaction:
            record(transaction, time=NOW, actor=SYSTEM, action="test.done", target_kind="test", target_id="1")
        url = node.settings.effective_database_url
    database = Database(url)
    async with database.read() as session:
        seal = await session.get(AuditSeal, 1)
    await database.close()
    assert seal is not None
    assert seal.number >= 1


def test_the_key_is_made_once_and_kept_to_its_owner(tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path / "data")
    assert server_key(settings) == server_key(settings)
    assert (tmp_path / "data" / "secret.key").stat().st_mode & 0o077 == 0
    with pytest.raises(Invalid, match="32 characters"):
        server_key(Settings(secret_key="short"))
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be used"):
        server_key(Settings(data_folder=tmp_path / "file"))


async def emit(database: Database, count: int) -> None:
    for number in range(count):
        async with database.write() as transaction:
            outbox.emit(transaction, time=NOW, kind="run.queued", subject=f"run_{number}", data={})


@pytest.fixture
async def hub(database: Database) -> AsyncIterator[EventHub]:
    """A hub that has read on over twelve events, seven of them before it started."""
    bus = MemoryBus()
    database.wake_with(bus.wake)
    await emit(database, 7)
    hub = EventHub(database, bus)
    await hub.start()
    task = asyncio.create_task(hub.run_forever())
    await emit(database, 5)
    async with asyncio.timeout(10):
        await anext(aiter(hub.follow(11, idle_seconds=10)))
    yield hub
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def read_on(hub: EventHub, after: int) -> list[Event] | None:
    """Return what a follower is given until nothing more comes, or None where it must load its page anew."""
    found: list[Event] = []
    batch: Sequence[Event]
    async with asyncio.timeout(10):
        async for batch in hub.follow(after, idle_seconds=0.05):
            if not batch:
                return found
            found += batch
    return None


async def test_a_follower_resumes_from_every_position_without_gap_or_repeat(hub: EventHub) -> None:
    assert hub.position == 12
    for after in range(13):
        events = await read_on(hub, after)
        assert events is not None
        assert [event.position for event in events] == list(range(after + 1, 13))


async def test_a_follower_from_too_far_back_must_begin_anew(hub: EventHub, database: Database) -> None:
    async with database.write() as transaction:
        await transaction.session.execute(delete(EventRow).where(EventRow.position <= 5))
    assert await read_on(hub, 3) is None
    events = await read_on(hub, 5)
    assert events is not None
    assert [event.position for event in events] == list(range(6, 13))


async def test_a_follower_of_what_was_forgotten_altogether_must_begin_anew(database: Database) -> None:
    await emit(database, 3)
    hub = EventHub(database, MemoryBus())
    await hub.start()
    async with database.write() as transaction:
        await transaction.session.execute(delete(EventRow))
    assert await read_on(hub, 1) is None
    assert await read_on(hub, 3) == []


async def test_a_follower_from_another_database_must_begin_anew(hub: EventHub) -> None:
    assert await read_on(hub, 10_000) is None


async def test_a_follower_ahead_of_this_node_waits_for_it(database: Database) -> None:
    await emit(database, 3)
    hub = EventHub(database, MemoryBus())
    await hub.start()
    await emit(database, 3)
    assert await read_on(hub, 6) == []
