"""Lists as CSV: whole, page by page, and harmless in a spreadsheet."""

import csv
import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.foundation.errors import Invalid
from controlroom.foundation.exporting import CsvColumn, chosen_columns, csv_answer, csv_cell, harmless
from controlroom.foundation.paging import LARGEST_LIMIT, Page, PageRequest

COLUMNS: tuple[CsvColumn[int], ...] = (
    CsvColumn("number", lambda row: row),
    CsvColumn("text", lambda row: f"={row}"),
)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (True, "true"),
        (-3, "-3"),
        (1.5, "1.5"),
        ("-3", "'-3"),
        ("=1+1", "'=1+1"),
        (" @now", "' @now"),
        ("\tx", "'\tx"),
        ("plain", "plain"),
        (["excel", "windows"], "excel windows"),
        ({}, ""),
        ({"a": [1]}, '{"a":[1]}'),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05.000Z"),
    ],
)
def test_a_value_becomes_a_cell(value: object, cell: str) -> None:
    assert csv_cell(value) == cell


@given(st.text())
def test_no_text_begins_as_a_formula(text: str) -> None:
    shown = harmless(text)
    assert shown.removeprefix("'") == text.removeprefix("'") or shown == f"'{text}"
    assert not shown.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


async def test_a_list_comes_whole_though_only_a_page_is_held() -> None:
    asked: list[PageRequest] = []

    async def fetch(request: PageRequest) -> Page[int]:
        asked.append(request)
        first = int(request.cursor or 0)
        return Page(range(first, first + 2), str(first + 2) if first < 4 else None)

    answer = await csv_answer("numbers", COLUMNS, fetch, PageRequest(filter="x", cursor="4", limit=7))
    parts = [part async for part in answer.body_iterator]
    rows = list(csv.reader(io.StringIO("".join(str(part) for part in parts))))
    assert rows == [["number", "text"], *([str(number), f"'={number}"] for number in range(6))]
    assert [(request.filter, request.limit) for request in asked] == [("x", LARGEST_LIMIT)] * 3


def test_columns_are_chosen_by_name_and_an_unknown_one_is_refused() -> None:
    assert [column.name for column in chosen_columns(COLUMNS, "text,number,text")] == ["text", "number"]
    with pytest.raises(Invalid, match="'colour'"):
        chosen_columns(COLUMNS, "colour")
