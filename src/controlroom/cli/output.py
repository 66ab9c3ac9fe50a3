"""How commands speak: tables for people, JSON for scripts, errors in one sentence, exit codes that scripts can use."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from controlroom.foundation.errors import ControlRoomError

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_NOT_ALLOWED = 4
EXIT_INTERRUPTED = 130

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_PIPE_COLUMNS = 2_000
"""A pipe has no width: nothing is cut for a program that reads it."""


def print_json(value: object) -> None:
    """Print one JSON document, indented, in the order it was given."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    out.print(text, markup=False)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their column names; nothing but the names where there are none."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text("" if value is None else str(value)) for value in row))
    console = out if out.is_terminal else Console(file=out.file, width=_PIPE_COLUMNS, highlight=False)
    console.print(table)


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print name and value, one pair a line."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        out.print(f"{name:<{width}}  {value}", markup=False)


def print_error(error: ControlRoomError) -> None:
    """Print what happened and which values it is about, to standard error."""
    err.print(f"[bold red]{error.title}.[/] ", end="")
    err.print(error.detail, markup=False)
    for field in error.fields:
        if field.message not in error.detail:
            err.print(f"  {field.pointer}: {field.message}", markup=False)
