"""Reads the export of purchasing: a CSV with one row a position, separated by semicolons."""

import csv
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

from reconcile.model import Order, OrderLine, UnreadableFile

COLUMNS = ("order", "ordered on", "supplier", "article", "quantity", "unit price", "currency")


def read_orders(path: Path) -> list[Order]:
    """Return the orders in the file's sequence; raise `UnreadableFile` that names the line that cannot stand."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as source:
            return _collect(path, csv.DictReader(source, delimiter=";"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile(f"{path.name} cannot be read: {error}") from None


def _collect(path: Path, rows: "csv.DictReader[str]") -> list[Order]:
    absent = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if absent:
        raise UnreadableFile(f"{path.name} lacks the column {', '.join(absent)}.")
    heads: dict[str, tuple[date, str, str]] = {}
    lines: dict[str, list[OrderLine]] = {}
    for row in rows:
        try:
            number, head, line = _parse(row)
        except (ValueError, InvalidOperation, AttributeError):
            raise UnreadableFile(
                f"{path.name}, line {rows.line_num}: a date, number or price there cannot be understood."
            ) from None
        if heads.setdefault(number, head) != head:
            raise UnreadableFile(
                f"{path.name}, line {rows.line_num}: {number} has another date, supplier or currency than above."
            )
        lines.setdefault(number, []).append(line)
    return [Order(number, *head, tuple(lines[number])) for number, head in heads.items()]


def _parse(row: Mapping[str, str]) -> tuple[str, tuple[date, str, str], OrderLine]:
    line = OrderLine(row["article"].strip(), Decimal(row["quantity"]), Decimal(row["unit price"]))
    head = (date.fromisoformat(row["ordered on"]), row["supplier"].strip(), row["currency"].strip())
    return row["order"].strip(), head, line
