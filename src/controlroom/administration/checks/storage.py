"""Checks of what holds the data: database, packages and artifacts, disk, backups."""

import asyncio
import os
import shutil
import time
from datetime import timedelta

from sqlalchemy import make_url, text

from controlroom.administration.components import CheckedParts, ComponentCheck, ComponentState, Finding
from controlroom.foundation.backups import last_backup

_SLOW_SECONDS = 1.0
_LOW, _VERY_LOW = 0.10, 0.03
_LITTLE_BYTES, _VERY_LITTLE_BYTES = 2_000_000_000, 300_000_000
"""Below either, a run's artifacts or a backup may fill the disk before anyone looks."""
_BACKUP_AGE = timedelta(days=7)


async def database(parts: CheckedParts) -> Finding:
    """Ask the database a trivial question and time it."""
    begun = time.monotonic()
    async with parts.database.read() as session:
        await session.execute(text("SELECT 1"))
    seconds = time.monotonic() - begun
    where = _where(parts)
    words = f"{where} answered in {seconds * 1000:.0f} ms."
    if seconds > _SLOW_SECONDS:
        return Finding(
            ComponentState.WARNING, words, "It is slow: look at the load of its machine and of its disk."
        )
    return Finding(ComponentState.OK, words)


async def blob_store(parts: CheckedParts) -> Finding:
    """Write a file where packages and artifacts are received, and remove it again."""
    folder = parts.blobs.unfinished

    def probe() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"health-{os.getpid()}-{time.monotonic_ns()}"
        try:
            file.write_bytes(b"health")
            file.read_bytes()
        finally:
            file.unlink(missing_ok=True)

    await asyncio.to_thread(probe)
    return Finding(ComponentState.OK, "Packages and artifacts can be written and read.")


async def disk(parts: CheckedParts) -> Finding:
    """Look how much room is left where the data folder is."""
    usage = await asyncio.to_thread(shutil.disk_usage, parts.settings.data_folder)
    share = usage.free / usage.total if usage.total else 0.0
    words = f"{usage.free / 1e9:,.1f} GB of {usage.total / 1e9:,.1f} GB are free ({share:.0%})."
    advice = "Make room where the data folder is, or move it to a larger disk: without room no run can be recorded."
    if share < _VERY_LOW or usage.free < _VERY_LITTLE_BYTES:
        return Finding(ComponentState.FAILING, words, advice)
    if share < _LOW or usage.free < _LITTLE_BYTES:
        return Finding(ComponentState.WARNING, words, advice)
    return Finding(ComponentState.OK, words)


async def backups(parts: CheckedParts) -> Finding:
    """Look when the database was last copied by our own command."""
    if not parts.database.is_sqlite:
        return Finding(
            ComponentState.OFF,
            "PostgreSQL is backed up by its own tools, which the Control Room does not see.",
        )
    made_at = await asyncio.to_thread(last_backup, parts.settings.data_folder)
    advice = "Run 'controlroom database backup FILE' every day and keep the file on another machine, with 'secret.key' and 'blobs'."
    if made_at is None:
        return Finding(ComponentState.WARNING, "No backup of the database was made here yet.", advice)
    age = parts.clock.now() - made_at
    words = f"The last backup of the database was made {made_at:%Y-%m-%d %H:%M} UTC."
    if age > _BACKUP_AGE:
        return Finding(ComponentState.WARNING, f"{words} That is {age.days} days ago.", advice)
    return Finding(ComponentState.OK, words)


def _where(parts: CheckedParts) -> str:
    if parts.database.is_sqlite:
        return "SQLite in the data folder"
    return f"PostgreSQL at {make_url(parts.settings.effective_database_url).host or 'this machine'}"


CHECKS = (
    ComponentCheck(
        "database",
        "Database",
        database,
        "Look whether the database server runs and can be reached from this machine, and whether its disk is full. "
        "Runners go on meanwhile and report afterwards.",
    ),
    ComponentCheck(
        "blob_store",
        "Packages and artifacts",
        blob_store,
        "Make the folder 'blobs' in the data folder writable for the account that the server runs as.",
    ),
    ComponentCheck("disk", "Disk space", disk, "Look whether the disk that holds the data folder is there."),
    ComponentCheck("backups", "Backups", backups, "Make the data folder readable."),
)
