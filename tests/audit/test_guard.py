"""What the database itself refuses, made by the code's tables and by the migrations alike."""

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DBAPIError

from audit.conftest import Fill
from controlroom.audit.guard import STATEMENTS, TRIGGERS
from controlroom.audit.models import AuditEntry
from controlroom.foundation.database import Database
from controlroom.server.migrations.upgrade import upgrade

REFUSED = "audit entries are"


async def test_the_database_refuses_to_change_and_to_remove_entries(guarded: Database, fill: Fill) -> None:
    await fill(3)
    attempts = [
        update(AuditEntry).where(AuditEntry.number == 2).values(actor_name="Mallory"),
        delete(AuditEntry).where(AuditEntry.number == 3),
    ]
    if not guarded.is_sqlite:
        attempts.append(text("TRUNCATE audit_entries"))
    for attempt in attempts:
        with pytest.raises(DBAPIError, match=REFUSED):
            async with guarded.write() as transaction:
                await transaction.session.execute(attempt)


async def test_a_migrated_database_has_the_same_triggers(database_url: str) -> None:
    migrated = Database(database_url)
    await upgrade(migrated)
    query = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        if migrated.is_sqlite
        else "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
    )
    async with migrated.engine.connect() as connection:
        found = dict((await connection.execute(text(query))).all())  # type: ignore[arg-type]  # rows are pairs
    dialect = "sqlite" if migrated.is_sqlite else "postgresql"
    assert set(found) >= set(TRIGGERS[dialect])
    if migrated.is_sqlite:
        assert set(STATEMENTS[dialect]) <= set(found.values())
    await migrated.close()
