"""Entries as JSON lines (https://jsonlines.org), oldest first: one entry a line, whole, so that the chain can be proved from them."""

import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select

from controlroom.audit.errors import ExportUnreadable
from controlroom.audit.models import AuditEntry
from controlroom.audit.schemas import AuditEntryOut
from controlroom.audit.search import searching
from controlroom.foundation.database import Database
from controlroom.foundation.paging import LARGEST_LIMIT, Page, PageRequest, fetch_page

JSON_LINES_MEDIA_TYPE = "application/jsonl"


async def exported_lines(
    database: Database, filter_: str = "", *, until: int | None = None
) -> AsyncIterator[list[str]]:
    """Give the entries that fit a filter as lines, oldest first, in batches; each batch is read by itself.

    Raises `Invalid` for a filter that cannot stand.
    """
    request = PageRequest(filter=filter_, sort="number", limit=LARGEST_LIMIT)
    query = select(AuditEntry)
    if until is not None:
        query = query.where(AuditEntry.number <= until)
    async with database.read() as session:
        grammar = await searching(session, filter_)
    while True:
        async with database.read() as session:
            page: Page[AuditEntry] = await fetch_page(session, query, grammar, request)
        yield [entry_line(entry) for entry in page.items]
        if page.next_cursor is None:
            return
        request = replace(request, cursor=page.next_cursor)


def entry_line(entry: AuditEntry) -> str:
    """Return an entry as one line, with its newline."""
    body = AuditEntryOut.model_validate(entry).model_dump(mode="python")
    body["time"] = entry.time.isoformat()
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False) + "\n"


def read_exported(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Read lines of an export back into the rows that their hashes are taken of; raise `ExportUnreadable`."""
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            row["time"] = datetime.fromisoformat(row["time"])
            rows.append({name: row[name] for name in AuditEntry.__table__.columns.keys()})  # noqa: SIM118  # not a dict
        except (ValueError, KeyError, TypeError):
            raise ExportUnreadable(
                f"Line {number} is no entry of an audit log; 'controlroom audit export' writes such files."
            ) from None
    if not rows:
        raise ExportUnreadable("The export holds no entry.")
    return rows
