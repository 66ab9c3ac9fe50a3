"""Writes the result as a workbook: a summary that computes itself from the lists behind it, and those lists."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from openpyxl import Workbook
from openpyxl.formatting.rule import FormulaRule
from openpyxl.styles import Font, PatternFill

from reconcile.model import Finding, Invoice, Ledger, Match, Reconciliation
from reconcile.styling import DAY, EURO, FIRST_ROW, TINTS, Column, add_list
from reconcile.summary import Summary

_EXCEPTIONS = (
    Column("Severity", 10),
    Column("What", 20),
    Column("Order", 15),
    Column("Invoice", 18),
    Column("Supplier", 26),
    Column("Difference EUR", 15, EURO),
    Column("Explanation", 58, wrap=True),
    Column("What to do", 58, wrap=True),
    Column("File", 28),
)
_ORDERS = (
    Column("Order", 15),
    Column("Ordered on", 12, DAY),
    Column("Supplier", 26),
    Column("Currency", 10),
    Column("Net", 14, EURO),
    Column("Ordered EUR", 14, EURO),
    Column("Billed EUR", 14, EURO),
    Column("Difference EUR", 15, EURO),
    Column("Status", 20),
    Column("Invoices", 26),
)
_INVOICES = (
    Column("Invoice", 18),
    Column("Issued on", 12, DAY),
    Column("Supplier", 26),
    Column("Order", 15),
    Column("Currency", 10),
    Column("Net", 14, EURO),
    Column("VAT %", 8, "0.##"),
    Column("VAT", 14, EURO),
    Column("Total", 14, EURO),
    Column("Net EUR", 14, EURO),
    Column("File", 28),
)


def write_workbook(path: Path, result: Reconciliation, ledger: Ledger, made_at: datetime) -> None:
    """Write the workbook; totals are formulas, so that they follow when someone settles an exception by hand."""
    book = Workbook()
    summary = book.active
    summary.title = "Summary"
    names = {supplier.id: supplier.name for supplier in ledger.suppliers.values()}
    _write_exceptions(book, result.findings, names)
    _write_orders(book, result.matches, names)
    _write_invoices(book, result.invoices, ledger)
    Summary(summary, result, names, made_at).write()
    book.properties.title = f"Reconciliation {result.period}"
    book.properties.creator = "reconcile-orders"
    book.save(path)


def _write_exceptions(book: Workbook, findings: Sequence[Finding], names: Mapping[str, str]) -> None:
    rows = [
        [
            finding.severity.value,
            finding.kind.value,
            finding.order_number,
            finding.invoice_number,
            names.get(finding.supplier_id, finding.supplier_id),
            finding.difference,
            finding.explanation,
            finding.action,
            finding.file,
        ]
        for finding in findings
    ]
    sheet = add_list(book, "Exceptions", _EXCEPTIONS, rows)
    area = f"A{FIRST_ROW}:B{max(len(rows) + 1, FIRST_ROW)}"
    for severity, tint in TINTS.items():
        rule = FormulaRule(formula=[f'$A{FIRST_ROW}="{severity}"'], fill=PatternFill(bgColor=tint))
        sheet.conditional_formatting.add(area, rule)


def _write_orders(book: Workbook, matches: Sequence[Match], names: Mapping[str, str]) -> None:
    rows = [
        [
            match.order.number,
            match.order.ordered_on,
            names.get(match.order.supplier_id, match.order.supplier_id),
            match.order.currency,
            match.order.net,
            match.ordered,
            match.billed,
            f"=G{place}-F{place}",
            match.status,
            ", ".join(invoice.number for invoice in match.invoices),
        ]
        for place, match in enumerate(matches, start=FIRST_ROW)
    ]
    sheet = add_list(book, "Orders", _ORDERS, rows)
    area = f"I{FIRST_ROW}:I{max(len(rows) + 1, FIRST_ROW)}"
    settled = FormulaRule(formula=[f'$I{FIRST_ROW}="Matched"'], font=Font(color="1B7F4B"))
    open_ = FormulaRule(formula=[f'$I{FIRST_ROW}<>"Matched"'], font=Font(color="B3261E", bold=True))
    sheet.conditional_formatting.add(area, settled)
    sheet.conditional_formatting.add(area, open_)


def _write_invoices(book: Workbook, invoices: Sequence[Invoice], ledger: Ledger) -> None:
    names = {supplier.vat_id: supplier.name for supplier in ledger.suppliers.values()}
    rows = [
        [
            invoice.number,
            invoice.issued_on,
            names.get(invoice.vat_id, invoice.vat_id),
            invoice.order_number,
            invoice.currency,
            invoice.net,
            invoice.vat_percent,
            invoice.vat,
            invoice.total,
            ledger.in_euro(invoice.net, invoice.currency),
            invoice.file.name,
        ]
        for invoice in invoices
    ]
    add_list(book, "Invoices", _INVOICES, rows)
