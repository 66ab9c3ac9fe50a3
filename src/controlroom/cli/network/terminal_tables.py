"""Tables of ports and flows on a terminal: what does not fit is left out by whole columns, and said."""

import os
import sys
from collections.abc import Iterator, Sequence

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from controlroom.network.reports.tables import PortTable

# Sentences, which may take several lines; everything else is names and numbers, and stays whole.
_PROSE = frozenset(
    {"Purpose", "Changed in", "Demanded by", "Usage", "What's connecting", "Notes", "Flows", "Version"}
)
# Lists of names, which take several lines only where there is no other way.
_NAMES = frozenset({"From", "To"})
# What goes first where a terminal is narrow; the other formats have it all.
_LEFT_OUT_FIRST = ("Demanded by", "Changed in", "Notes", "Flows", "Purpose")
_NARROWEST_PROSE = 20
# Between two columns, as the chosen box draws them.
_GAP = 3


def print_tables(tables: Sequence[PortTable]) -> None:
    """Print tables as wide as the terminal; where it is none, so wide that every row is one line."""
    console = Console(highlight=False)
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        console.width = max((_widest(table, table.columns) for table in tables), default=console.width)
    left_out: dict[str, None] = {}
    for table in tables:
        columns = _fitting(table, console.width)
        left_out |= dict.fromkeys(one for one in table.columns if one not in columns)
        console.print(_drawn(table, columns, console.width))
    if left_out:
        typer.echo(
            f"note: too narrow for {', '.join(left_out)}; a wider window or another format has all", err=True
        )


def _drawn(table: PortTable, columns: Sequence[str], width: int) -> Table:
    crowded = sum(_needed(table, one) + _GAP for one in columns) > width
    shown = Table(
        title=Text(table.title),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 0 if crowded else 1),
    )
    for column in columns:
        flows_on = column in _PROSE or _is_long(table, column) or (crowded and column in _NAMES)
        shown.add_column(column, overflow="fold", no_wrap=not flows_on)
    for row in table.rows:
        cells = dict(zip(table.columns, row, strict=True))
        shown.add_row(*(Text(cells[column]) for column in columns))
    return shown


def _fitting(table: PortTable, width: int) -> list[str]:
    columns = list(table.columns)
    for column in _LEFT_OUT_FIRST:
        if sum(_needed(table, one) + _GAP for one in columns) <= width:
            break
        if column in columns:
            columns.remove(column)
    return columns


def _widest(table: PortTable, columns: Sequence[str]) -> int:
    return sum(max(map(len, _cells(table, column))) + _GAP for column in columns)


def _needed(table: PortTable, column: str) -> int:
    """Return the width below which a column is no pleasure to read."""
    cells = list(_cells(table, column))
    if column in _PROSE or _is_long(table, column):
        words = max((len(word) for cell in cells for word in cell.split()), default=0)
        return max(words, min(_NARROWEST_PROSE, max(map(len, cells))))
    return max(map(len, cells))


def _is_long(table: PortTable, column: str) -> bool:
    """Say whether a column of names holds lists, which may take several lines."""
    return max(map(len, _cells(table, column))) > 2 * _NARROWEST_PROSE


def _cells(table: PortTable, column: str) -> Iterator[str]:
    at = table.columns.index(column)
    yield column
    yield from (row[at] for row in table.rows)
