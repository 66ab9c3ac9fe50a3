"""Moves everything from a SQLite database into an empty PostgreSQL one, by its own bulk copy."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import Boolean, Table

from controlroom.foundation.clock import SystemClock
from controlroom.foundation.database import Base, UtcDateTime
from controlroom.foundation.settings import load_settings
from controlroom.server.node import open_node

_AT_ONCE = 20_000
_JSONB_VERSION = b"\x01"
"""Goes before the text of a document in PostgreSQL's binary form."""


async def move(source: Path, url: str) -> None:
    """Set the database at an address up, as a server does, and fill it with every row of a SQLite file."""
    settings = load_settings(data_folder=source.parent, database_url=url)
    async with open_node(settings, SystemClock()):
        pass
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.set_type_codec(
        "jsonb",
        encoder=lambda value: _JSONB_VERSION + value.encode(),
        decoder=bytes,
        schema="pg_catalog",
        format="binary",
    )
    await connection.execute("SET session_replication_role = replica")  # no triggers, no foreign keys
    tables = list(Base.metadata.sorted_tables)
    await connection.execute(f"TRUNCATE {', '.join(table.name for table in tables)}")
    indexes = await connection.fetch(_INDEXES)
    for row in indexes:
        await connection.execute(f"DROP INDEX {row['name']}")
    rows = sqlite3.connect(f"file:{source}?mode=ro", uri=True)
    for table in tables:
        await _copy(rows, connection, table)
    rows.close()
    for row in indexes:
        await connection.execute(row["definition"])
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


_INDEXES = """SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
JOIN pg_class ON pg_class.oid = indrelid
WHERE relname IN ('runs', 'attempts', 'audit_entries') AND NOT indisunique"""


async def _copy(rows: sqlite3.Connection, connection: Any, table: Table) -> None:
    names = [column.name for column in table.columns]
    found = rows.execute(f"SELECT {', '.join(names)} FROM {table.name}")
    readers = [_reader(column.type) for column in table.columns]
    while part := found.fetchmany(_AT_ONCE):
        records = [tuple(read(value) for read, value in zip(readers, row, strict=True)) for row in part]
        await connection.copy_records_to_table(table.name, records=records, columns=names)
    column = table.autoincrement_column
    if column is not None:
        await connection.execute(
            f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column.name}'), "
            f"greatest((SELECT max({column.name}) FROM {table.name}), 1))"
        )


def _reader(kind: Any) -> Callable[[Any], Any]:
    """Return what makes the value of a column of SQLite into one of PostgreSQL."""
    if isinstance(kind, UtcDateTime):
        return lambda value: None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)
    if isinstance(kind, Boolean):
        return lambda value: None if value is None else bool(value)
    return lambda value: value
