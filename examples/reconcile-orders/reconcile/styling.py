"""How the workbook looks: colours, number formats, and the form of every list in it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter

from reconcile.model import Severity

EURO = '#,##0.00;[Red]-#,##0.00;"-"'
COUNT = "0"
DAY = "yyyy-mm-dd"
INK, TEAL, PALE, GREY = "1F2933", "0F5F5C", "E6F0EF", "6B7780"
TINTS: Mapping[str, str] = {
    Severity.ERROR.value: "F8D7D7",
    Severity.WARNING.value: "FCEBC8",
    Severity.NOTE.value: "E4E9EE",
}
THIN = Border(bottom=Side(style="thin", color="D5DBE0"))
FIRST_ROW = 2
"""The first row of a list below its header."""
_LINE_POINTS = 15


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a list; ``width`` is in characters."""

    name: str
    width: float
    format: str = "General"
    wrap: bool = False

    @property
    def is_number(self) -> bool:
        """Whether its values stand at the right."""
        return self.format not in ("General", DAY)


def font(*, bold: bool = False, size: int = 11, color: str = INK) -> Font:
    """Return the workbook's one font."""
    return Font(name="Calibri", bold=bold, size=size, color=color)


def add_list(book: Workbook, title: str, columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> Any:
    """Add a list: a header that stays, filters, widths and number formats by column, ready to print."""
    sheet = book.create_sheet(title)
    sheet.append([column.name for column in columns])
    for row in rows:
        sheet.append(list(row))
    for place, column in enumerate(columns, start=1):
        _style_column(sheet, place, column, len(rows) + 1)
    wrapped = [(place, column.width) for place, column in enumerate(columns) if column.wrap]
    for number, row in enumerate(rows, start=FIRST_ROW):
        lines = max((math.ceil(len(str(row[place])) / (1.15 * width)) for place, width in wrapped), default=1)
        sheet.row_dimensions[number].height = _LINE_POINTS * max(1, lines)
    sheet.row_dimensions[1].height = 20
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{len(rows) + 1}"
    sheet.print_title_rows = "1:1"
    ready_to_print(sheet, "landscape")
    return sheet


def ready_to_print(sheet: Any, orientation: str) -> None:
    """Fit a sheet to the width of a page and hide the grid, which its own lines replace."""
    sheet.sheet_view.showGridLines = False
    sheet.page_setup.orientation = orientation
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


def _style_column(sheet: Any, place: int, column: Column, last_row: int) -> None:
    letter = get_column_letter(place)
    sheet.column_dimensions[letter].width = column.width
    head = sheet.cell(1, place)
    head.font = font(bold=True, color="FFFFFF")
    head.fill = PatternFill("solid", fgColor=TEAL)
    head.alignment = _alignment(column, vertical="center")
    for row in range(FIRST_ROW, last_row + 1):
        cell = sheet.cell(row, place)
        cell.font = font()
        cell.number_format = column.format
        cell.alignment = _alignment(column, vertical="top")
        cell.border = THIN


def _alignment(column: Column, vertical: str) -> Alignment:
    if column.is_number:
        return Alignment(horizontal="right", vertical=vertical)
    return Alignment(horizontal="left", vertical=vertical, indent=1, wrap_text=column.wrap)
