"""A bare word is found among the names of the log, whatever its case, and names go with the last entry that had them."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from audit.conftest import Fill
from conftest import SteeredClock
from controlroom.audit import search
from controlroom.audit.actor import SYSTEM, Actor, ActorKind
from controlroom.audit.names import STATEMENTS, AuditName
from controlroom.audit.service import AuditService, record
from controlroom.foundation.database import Database
from controlroom.foundation.paging import PageRequest
from controlroom.server.migrations.upgrade import upgrade


async def act(database: Database, clock: SteeredClock, actor: str, action: str, target: str) -> None:
    async with database.write() as transaction:
        record(
            transaction, time=clock.now(), actor=Actor(ActorKind.USER, f"usr_{actor}", actor), action=action,
            target_kind="thing", target_id="t1", target_name=target,
        )  # fmt: skip


async def found(audit: AuditService, words: str) -> list[int]:
    return [entry.number for entry in (await audit.page(PageRequest(filter=words, sort="number"))).items]


@pytest.fixture
async def three(guarded: Database, clock: SteeredClock) -> None:
    await act(guarded, clock, "Alice", "bot.published", "invoices")
    await act(guarded, clock, "bob", "bot.published", "100% orders_1")
    await act(guarded, clock, "bob", "user.created", "Alicia")


@pytest.fixture(params=["few", "many entries", "many names"])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the ways in which a word is looked for: they must find the same."""
    if request.param == "many entries":
        monkeypatch.setattr(search, "_FEW_ENTRIES", 0)
    elif request.param == "many names":
        monkeypatch.setattr(search, "_FEW_NAMES", 0)


@pytest.mark.usefixtures("three", "road")
@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("ALIC", [1, 3]),
        ("publish", [1, 2]),
        ("voice", [1]),
        ("0%", [2]),
        ("s_1", [2]),
        ("%", [2]),
        ("zebra", []),
        ("-alic", [2]),
        ("-zebra", [1, 2, 3]),
        ("bob publish", [2]),
        ("bob alicia action:user.*", [3]),
        ("actor:bob -publish", [3]),
    ],
)
async def test_a_word_is_found_in_actor_action_and_target(
    audit: AuditService, words: str, numbers: list[int]
) -> None:
    assert await found(audit, words) == numbers


@pytest.mark.usefixtures("three")
async def test_what_was_not_committed_leaves_no_name(guarded: Database, clock: SteeredClock) -> None:
    with pytest.raises(RuntimeError):
        async with guarded.write() as transaction:
            record(transaction, time=clock.now(), actor=SYSTEM, action="ghost.seen", target_kind="x", target_id="y")  # fmt: skip
            await transaction.finish()
            raise RuntimeError
    async with guarded.read() as session:
        assert "ghost.seen" not in (await session.scalars(select(AuditName.name))).all()


async def test_names_go_with_the_last_entry_that_had_them(
    guarded: Database, audit: AuditService, clock: SteeredClock, fill: Fill
) -> None:
    await act(guarded, clock, "leaver", "thing.done", "old")
    clock.advance(86_400)
    await fill(3)
    await audit.seal()
    await audit.retain(SYSTEM, clock.now() - timedelta(hours=12))
    async with guarded.read() as session:
        names = set((await session.scalars(select(AuditName.name))).all())
    assert names.isdisjoint({"leaver", "old"})
    assert names >= {"thing.done", "audit.removed", SYSTEM.name}
    assert await found(audit, "leaver") == []
    assert len(await found(audit, "thing.done")) == 3


async def test_a_migrated_database_gathers_names_as_the_code_declares(database_url: str) -> None:
    migrated = Database(database_url)
    await upgrade(migrated)
    query = (
        "SELECT sql FROM sqlite_master WHERE type = 'trigger'"
        if migrated.is_sqlite
        else "SELECT prosrc FROM pg_proc WHERE proname = 'audit_entries_names'"
    )
    async with migrated.engine.connect() as connection:
        made = (await connection.execute(text(query))).scalars().all()
    statement = STATEMENTS["sqlite" if migrated.is_sqlite else "postgresql"][0]
    assert any(each in statement for each in made)
    await migrated.close()
