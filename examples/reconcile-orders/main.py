"""Reconcile a month of orders with its invoices: reads CSV, XLSX and PDF, leaves a workbook and a list of exceptions."""

import csv
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from reconcile.invoices import read_invoice
from reconcile.ledger import read_ledger
from reconcile.matching import reconcile
from reconcile.model import Finding, Invoice, Kind, Ledger, Reconciliation, Severity, UnreadableFile
from reconcile.orders import read_orders
from reconcile.workbook import write_workbook

from controlroom import bot

SAMPLE = Path(__file__).parent / "data"
READING_SHARE = 0.8
"""Part of the whole work that reading the invoices is, for the progress bar."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The inputs of the run."""

    period: str
    tolerance: Decimal
    fail_on_exceptions: bool
    orders: Path
    ledger: Path
    invoices: Sequence[Path]
    folder: Path
    """Where those lie that were not given themselves."""


def main() -> None:
    """Do the whole work; a fault in the files ends the run with one sentence that names file and place."""
    wanted = read_inputs()
    try:
        ledger = read_ledger(wanted.ledger, wanted.period)
        orders = read_orders(wanted.orders)
        bot.log.info("Orders read", orders=len(orders), suppliers=len(ledger.suppliers))
        if not any(f"{order.ordered_on:%Y-%m}" == wanted.period for order in orders):
            bot.fail(f"{wanted.orders.name} holds no order of {wanted.period}; choose another month.")
        invoices, unreadable = read_invoices(wanted.invoices or invoices_in(wanted.folder / "invoices"))
        result = reconcile(
            orders,
            invoices,
            ledger,
            period=wanted.period,
            tolerance=wanted.tolerance,
            unreadable=unreadable,
        )
    except UnreadableFile as error:
        bot.fail(str(error))
    report(result, ledger)
    if wanted.fail_on_exceptions and result.exceptions:
        bot.fail(f"{len(result.exceptions)} exceptions; see the workbook.")


def read_inputs() -> Wanted:
    """Take the inputs, with the defaults that pyproject.toml declares, for a start outside any runner."""
    given = bot.inputs
    period = str(given.get("period", "2026-03"))
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", period):
        bot.fail(f"The input period must be a month such as 2026-03, not '{period}'.")
    try:
        tolerance = Decimal(str(given.get("tolerance", "0.05")))
    except InvalidOperation:
        bot.fail(f"The input tolerance must be a number, not '{given['tolerance']}'.")
    folder = Path(given.get("folder") or SAMPLE).expanduser()
    return Wanted(
        period,
        tolerance,
        bool(given.get("fail_on_exceptions", False)),
        orders=given.path("orders") if "orders" in given else folder / "orders.csv",
        ledger=given.path("ledger") if "ledger" in given else folder / "ledger.xlsx",
        invoices=given.paths("invoices"),
        folder=folder,
    )


def invoices_in(folder: Path) -> Sequence[Path]:
    """Return the PDFs of a folder."""
    files = sorted(folder.glob("*.pdf"))
    if not files:
        bot.fail(f"There is no PDF in {folder}.")
    return files


def read_invoices(files: Sequence[Path]) -> tuple[list[Invoice], list[Finding]]:
    """Read every PDF; one that cannot be read becomes a finding and holds up none of the others."""
    invoices: list[Invoice] = []
    unreadable: list[Finding] = []
    for place, file in enumerate(files):
        if bot.cancelled():
            bot.fail(f"Cancelled after {place} of {len(files)} invoices; nothing was written.")
        bot.progress(READING_SHARE * place / len(files), f"Reading {file.name}")
        try:
            invoice = read_invoice(file)
        except UnreadableFile as error:
            bot.log.warning("Invoice cannot be read", file=file.name, reason=str(error))
            action = "Ask the supplier for the original, or type it in."
            unreadable.append(Finding(Kind.UNREADABLE, str(error), action, file=file.name))
        else:
            invoices.append(invoice)
            bot.log.debug("Invoice read", file=file.name, number=invoice.number, order=invoice.order_number)
    return invoices, unreadable


def report(result: Reconciliation, ledger: Ledger) -> None:
    """Log the exceptions, set the outputs and leave the files."""
    bot.progress(0.9, "Writing the workbook")
    for finding in result.findings:
        say = bot.log.info if finding.severity is Severity.NOTE else bot.log.warning
        say(
            f"{finding.kind.value}: {finding.explanation}",
            order=finding.order_number,
            invoice=finding.invoice_number,
            difference=float(finding.difference),
        )
    matched = sum(match.status == "Matched" for match in result.matches)
    bot.output("orders", len(result.matches))
    bot.output("invoices", len(result.invoices))
    bot.output("matched", matched)
    bot.output("exceptions", len(result.exceptions))
    bot.output("by_kind", dict(Counter(finding.kind.value for finding in result.exceptions)))
    bot.output("ordered_total", float(result.ordered))
    bot.output("billed_total", float(result.billed))
    bot.output("difference", float(result.difference))
    leave_files(result, ledger)
    bot.progress(1, f"{matched} of {len(result.matches)} orders matched, {len(result.exceptions)} exceptions")


def leave_files(result: Reconciliation, ledger: Ledger) -> None:
    """Keep the workbook and the exceptions as artifacts; outside a runner they stay in the folder ``output``."""
    if not bot.run.inside_runner:
        write_files(Path("output"), result, ledger)
        return
    with tempfile.TemporaryDirectory() as folder:
        for file in write_files(Path(folder), result, ledger):
            bot.artifact(file)


def write_files(folder: Path, result: Reconciliation, ledger: Ledger) -> Sequence[Path]:
    """Write both files and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    workbook = folder / f"reconciliation-{result.period}.xlsx"
    write_workbook(workbook, result, ledger, datetime.now(UTC))
    listing = folder / f"exceptions-{result.period}.csv"
    with listing.open("w", encoding="utf-8-sig", newline="") as target:
        rows = csv.writer(target, delimiter=";")
        rows.writerow(
            [
                "severity",
                "what",
                "order",
                "invoice",
                "supplier",
                "difference EUR",
                "explanation",
                "what to do",
            ]
        )
        rows.writerows(
            [found.severity, found.kind, found.order_number, found.invoice_number, found.supplier_id,
             found.difference, found.explanation, found.action]
            for found in result.findings
        )  # fmt: skip
    return workbook, listing


if __name__ == "__main__":
    main()
