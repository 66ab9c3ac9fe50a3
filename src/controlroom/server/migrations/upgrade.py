"""Brings a database to the newest form, once, however many nodes start together."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from controlroom.foundation.database import Database
from controlroom.foundation.errors import Conflict

_FOLDER = Path(__file__).parent
_LOCK = 7_203_000  # any number that no other advisory lock of ours uses


class NewerDatabase(Conflict):
    """The database was migrated by a newer version of the product."""

    code = "newer_database"
    title = "The database is newer than this program"


def configuration(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration; nothing of it is read from a file."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    return config


def newest_revision() -> str:
    """Return the revision that this version of the product needs."""
    return ScriptDirectory.from_config(configuration()).get_current_head() or ""


def present_revision(connection: Connection) -> str:
    """Return the revision that the database is at, empty where it has none."""
    return MigrationContext.configure(connection).get_current_revision() or ""


async def upgrade(database: Database) -> tuple[str, str]:
    """Migrate under a lock; return the revisions before and after. Raises `NewerDatabase`.

    PostgreSQL holds an advisory lock for the transaction, SQLite its one writer's lock.
    """
    async with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        return await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> tuple[str, str]:
    before = present_revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions()}
    if before and before not in known:
        raise NewerDatabase(
            f"The database is at revision {before}, which this version does not know; start the newer version."
        )
    if before != newest_revision():
        command.upgrade(configuration(connection), "head")
    return before, newest_revision()
