"""Migrate, look at and back up the database."""

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from controlroom.cli.output import err, out, print_facts, print_json
from controlroom.foundation.backups import note_backup
from controlroom.foundation.errors import Conflict, Invalid, Unavailable
from controlroom.foundation.settings import load_settings

app = typer.Typer(help=__doc__, no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
_PAGES_AT_ONCE = 1_000


@app.command()
def upgrade() -> None:
    """Bring the database to the newest form; a server does so by itself at its start."""
    before, after = asyncio.run(_upgrade())
    out.print(
        f"At {after}." if before == after else f"Migrated from {before or 'empty'} to {after}.", markup=False
    )


@app.command()
def status(json: JsonOption = False) -> None:
    """Say which database is in use and whether it is of the newest form."""
    facts = asyncio.run(_status())
    if json:
        print_json(facts)
    else:
        print_facts(facts)


@app.command()
def backup(target: Annotated[Path, typer.Argument(help="File to write; it must not exist yet.")]) -> None:
    """Make a consistent copy of a live SQLite database. For PostgreSQL use pg_dump."""
    source = _sqlite_file()
    if target.exists():
        raise Conflict(f"{target} exists; name a new file.")
    aside = target.with_name(f"{target.name}.part")
    try:
        _copy(source, aside)
        aside.replace(target)
    except (OSError, sqlite3.Error) as error:
        aside.unlink(missing_ok=True)
        raise Unavailable(f"The backup could not be written to {target}: {error}.") from None
    _note(target)
    out.print(
        f"{target}: {target.stat().st_size:,} bytes. Packages and artifacts lie in the data folder's 'blobs'.",
        markup=False,
    )


def _note(target: Path) -> None:
    """Let the server know, so that its health page can say when the last backup was long ago."""
    try:
        note_backup(load_settings().data_folder, made_at=datetime.now(UTC), size_bytes=target.stat().st_size)
    except OSError as error:
        err.print(f"The backup is made; that it is could not be noted: {error}.", markup=False)


def _copy(source: Path, target: Path) -> None:
    with sqlite3.connect(f"file:{source}?mode=ro", uri=True) as live, sqlite3.connect(target) as copy:
        live.backup(copy, pages=_PAGES_AT_ONCE)
        problem = copy.execute("PRAGMA integrity_check").fetchone()[0]
    live.close()
    copy.close()
    if problem != "ok":
        raise sqlite3.DatabaseError(f"the copy is not whole: {problem}")


def _sqlite_file() -> Path:
    url = load_settings().effective_database_url
    if not url.startswith("sqlite"):
        raise Invalid("The database in use is PostgreSQL: back it up with pg_dump.")
    path = Path(url.partition(":///")[2])
    if not path.exists():
        raise Unavailable(f"There is no database at {path} yet.")
    return path


async def _upgrade() -> tuple[str, str]:
    from controlroom.foundation.database import Database
    from controlroom.server.migrations.upgrade import upgrade as migrate

    settings = load_settings()
    settings.data_folder.mkdir(parents=True, exist_ok=True)
    database = Database(settings.effective_database_url)
    try:
        return await migrate(database)
    finally:
        await database.close()


async def _status() -> dict[str, object]:
    from controlroom.foundation.database import Database
    from controlroom.server.migrations.upgrade import newest_revision, present_revision

    database = Database(load_settings().effective_database_url)
    try:
        async with database.engine.connect() as connection:
            present = await connection.run_sync(present_revision)
    finally:
        await database.close()
    kind = "sqlite" if database.is_sqlite else "postgresql"
    return {
        "database": kind,
        "revision": present or None,
        "newest": newest_revision(),
        "is_newest": present == newest_revision(),
    }
