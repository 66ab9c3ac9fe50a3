"""Lists as CSV, streamed page by page: whatever the length, only one page is held in memory.

Text that a spreadsheet would take for a formula is given with an apostrophe before it (OWASP, "CSV Injection"): a list
holds what others typed, and opening an export must run nothing of theirs.
"""

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Generic, TypeVar

import msgspec
from fastapi.responses import StreamingResponse

from controlroom.foundation.errors import FieldError, Invalid
from controlroom.foundation.paging import LARGEST_LIMIT, Page, PageRequest

T = TypeVar("T")

CSV_MEDIA_TYPE = "text/csv"
CSV_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {CSV_MEDIA_TYPE: {"schema": {"type": "string"}}}, "description": "The list, RFC 4180"}
}
"""How a route that gives CSV is described."""

_BYTE_ORDER_MARK = "\ufeff"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Fetch = Callable[[PageRequest], Awaitable[Page[T]]]


@dataclass(frozen=True, slots=True)
class CsvColumn(Generic[T]):
    """One column: its head, and how its value is read from a row."""

    name: str
    value: Callable[[T], object]


def chosen_columns(columns: Sequence[CsvColumn[T]], names: str) -> Sequence[CsvColumn[T]]:
    """Return the columns that a text such as ``id,state`` names, in its order; all where it is empty.

    Raises `Invalid` that names the one that is not there.
    """
    if not names:
        return columns
    known = {column.name: column for column in columns}
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if name not in known:
            message = f"There is no column '{name}'; there are {', '.join(known)}."
            raise Invalid(message, fields=(FieldError("/columns", message),))
    return [known[name] for name in dict.fromkeys(wanted)]


async def csv_answer(
    name: str,
    columns: Sequence[CsvColumn[T]],
    fetch: Fetch[T],
    request: PageRequest,
    *,
    for_spreadsheet: bool = False,
) -> StreamingResponse:
    """Return a whole list, from its first row, as a download called ``<name>.csv``.

    The first page is fetched before the answer begins, so that a filter that cannot stand is still refused with
    `Invalid`. Rows that come or go meanwhile neither repeat nor hide others. ``for_spreadsheet`` puts a byte order mark
    first, without which Excel takes UTF-8 for something else.
    """
    request = replace(request, cursor="", limit=LARGEST_LIMIT)
    first = await fetch(request)
    lines = _lines(columns, fetch, request, first, _BYTE_ORDER_MARK if for_spreadsheet else "")
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.csv"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(lines, media_type=f"{CSV_MEDIA_TYPE}; charset=utf-8", headers=headers)


async def _lines(
    columns: Sequence[CsvColumn[T]], fetch: Fetch[T], request: PageRequest, page: Page[T], begin: str
) -> AsyncIterator[str]:
    yield begin + _text([[column.name for column in columns]])
    while True:
        if page.items:
            yield _text([[csv_cell(column.value(row)) for column in columns] for row in page.items])
        if page.next_cursor is None:
            return
        page = await fetch(replace(request, cursor=page.next_cursor))


def _text(rows: Sequence[Sequence[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue()


def csv_cell(value: object) -> str:
    """Return a value as a cell: times in ISO 8601 and UTC, lists of texts with blanks between, the rest as JSON.

    Numbers stay numbers, also negative ones; a text that begins as a formula does gets an apostrophe before it.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return harmless(_as_text(value))


def _as_text(value: object) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return " ".join(value)
    if isinstance(value, Mapping) and not value:
        return ""
    return msgspec.json.encode(value).decode()


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) or text.startswith("\t") else text
