"""Brings a database to the newest form, once, however many nodes start together."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from controlroom.foundation.database import Database
from controlroom.foundation.errors import Conflict

if TYPE_CHECKING:
    from alembic.config import Config

_FOLDER = Path(__file__).parent
_LOCK = 7_203_000  # any number that no other advisory lock of ours uses


class NewerDatabase(Conflict):
    """The database was migrated by a newer version of the product."""

    code = "newer_database"
    title = "The database is newer than this program"


def configuration(connection: Connection | None = None) -> "Config":
    """Return Alembic's configuration; nothing of it is read from a file."""
    from alembic.config import Config  # a start that has nothing to migrate does without Alembic

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    return config


def newest_revision() -> str:
    """Return the revision that this version of the product needs: the files are numbered by their revisions."""
    return max(known_revisions())


def known_revisions() -> set[str]:
    """Return the revisions that this version of the product has, by the names of their files."""
    return {path.stem.partition("_")[0] for path in (_FOLDER / "versions").glob("[0-9]*.py")}


def present_revision(connection: Connection) -> str:
    """Return the revision that the database is at, empty where it has none."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.scalar(text("SELECT version_num FROM alembic_version")) or "")


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
    if before and before not in known_revisions():
        raise NewerDatabase(
            f"The database is at revision {before}, which this version does not know; start the newer version."
        )
    if before != newest_revision():
        from alembic import command

        command.upgrade(configuration(connection), "head")
    return before, newest_revision()
