"""Reads accounting's workbook: suppliers, the agreed price list, exchange rates and the invoices posted before."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from reconcile.model import Ledger, Supplier, UnreadableFile


def read_ledger(path: Path, period: str) -> Ledger:
    """Return the ledger with the exchange rates of ``period`` (``2026-03``); raise `UnreadableFile`."""
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (OSError, BadZipFile, InvalidFileException, KeyError) as error:
        raise UnreadableFile(f"{path.name} cannot be read as a workbook: {error}") from None
    try:
        return Ledger(
            suppliers={supplier.id: supplier for supplier in map(_supplier, _rows(path, book, "Suppliers"))},
            prices={
                (str(row["Supplier"]), str(row["Article"])): _number(row["Unit price"])
                for row in _rows(path, book, "Price list")
            },
            rates={
                str(row["Currency"]): _number(row["Units for 1 EUR"])
                for row in _rows(path, book, "Exchange rates")
                if str(row["Month"]) == period
            },
            posted={
                (str(row["Supplier"]), str(row["Invoice"])): _day(row["Posted on"])
                for row in _rows(path, book, "Posted")
            },
        )
    except KeyError as error:
        raise UnreadableFile(f"{path.name} lacks the column {error.args[0]}.") from None
    except (ValueError, InvalidOperation) as error:
        raise UnreadableFile(f"{path.name} holds a value that cannot be understood: {error}") from None
    finally:
        book.close()


def _supplier(row: dict[str, Any]) -> Supplier:
    return Supplier(
        id=str(row["Supplier"]),
        name=str(row["Name"]),
        vat_id=str(row["VAT id"]),
        vat_percent=_number(row["VAT %"]),
        currency=str(row["Currency"]),
    )


def _rows(path: Path, book: Any, sheet: str) -> Iterator[dict[str, Any]]:
    if sheet not in book.sheetnames:
        raise UnreadableFile(f"{path.name} lacks the sheet '{sheet}'.")
    rows = book[sheet].iter_rows(values_only=True)
    names = next(rows, ())
    for values in rows:
        if any(value is not None for value in values):
            yield dict(zip(names, values, strict=False))


def _number(value: object) -> Decimal:
    # Workbooks hold binary floats; their shortest decimal form is what was typed in.
    return Decimal(str(value))


def _day(value: object) -> date:
    if not isinstance(value, datetime):
        raise ValueError(f"'{value}' is not a date")  # noqa: TRY004  # a cell's content, not a programmer's mistake
    return value.date()
