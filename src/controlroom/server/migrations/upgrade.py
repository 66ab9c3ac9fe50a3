"""Brings a database to the newest form, once, however many nodes start together."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from controlroom.foundation.database import Database
from controlroom.foundation.errors import Conflict, Unavailable
from controlroom.foundation.telemetry import logger

if TYPE_CHECKING:
    from alembic.config import Config

_FOLDER = Path(__file__).parent
_LOCK = 7_203_000  # any number that no other advisory lock of ours uses
WAIT_SECONDS = 60.0
"""How long a node waits for another that migrates: more than a migration of a large site's past took."""

_RETRY_SECONDS = 0.1
_NOT_HAD_IN_TIME = "55P03"  # PostgreSQL's lock_not_available (manual, appendix A)
_HELD_SIGNS = ("database is locked", "database is busy", "database table is locked")

_log = logger("server.migrations")


class MigrationGoesOn(Unavailable):
    """Another program holds the database for longer than a node waits for it."""

    code = "migration_goes_on"
    title = "The database is held by another program"


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


async def upgrade(database: Database, *, wait_seconds: float = WAIT_SECONDS) -> tuple[str, str]:
    """Migrate under a lock; return the revisions before and after.

    PostgreSQL holds an advisory lock for the transaction, SQLite its one writer's lock. A node that finds it held waits
    for it. Raises `NewerDatabase`, and `MigrationGoesOn` where it is held for longer than ``wait_seconds``.
    """
    loop = asyncio.get_running_loop()
    until, told = loop.time() + wait_seconds, False
    while True:
        try:
            async with database.engine.begin() as connection:
                await _lock(connection, max(until - loop.time(), _RETRY_SECONDS))
                return await connection.run_sync(_upgrade)
        except DBAPIError as error:
            if not _is_held(error):
                raise
            if loop.time() >= until:
                raise _goes_on(wait_seconds) from error
        if not told:
            _log.info("database.awaited", seconds=wait_seconds)
            told = True
        await asyncio.sleep(_RETRY_SECONDS)


async def _lock(connection: AsyncConnection, seconds: float) -> None:
    """Take PostgreSQL's lock within so many seconds; SQLite's came with the transaction."""
    if connection.dialect.name != "postgresql":
        return
    limit = text("SELECT set_config('lock_timeout', :limit, true)")
    await connection.execute(limit, {"limit": f"{max(round(seconds * 1000), 1)}ms"})
    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _is_held(error: DBAPIError) -> bool:
    """Say whether the lock could not be had; the tables of a server that runs may be held as well."""
    said = str(error.orig).lower()
    return getattr(error.orig, "sqlstate", None) == _NOT_HAD_IN_TIME or any(
        sign in said for sign in _HELD_SIGNS
    )


def _goes_on(seconds: float) -> MigrationGoesOn:
    return MigrationGoesOn(
        f"Another node or command has held the database for more than {seconds:g} seconds; it may be migrating it. "
        "Wait until it has ended, then start this one again."
    )


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
