"""Decides which invoice belongs to which order, and what of it all is an exception."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from reconcile import checks
from reconcile.model import (
    Finding,
    Invoice,
    Kind,
    Ledger,
    Match,
    Order,
    Reconciliation,
    Severity,
)


@dataclass(slots=True)
class _Sorting:
    """Where the invoices have gone so far. ``accepted`` and ``billed`` (euro) are by order number."""

    accepted: dict[str, list[Invoice]] = field(default_factory=dict)
    billed: dict[str, Decimal] = field(default_factory=dict)
    seen: dict[tuple[str, str], Invoice] = field(default_factory=dict)
    kept: list[Invoice] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    other_periods: int = 0


def reconcile(
    orders: Sequence[Order],
    invoices: Iterable[Invoice],
    ledger: Ledger,
    *,
    period: str,
    tolerance: Decimal,
    unreadable: Iterable[Finding] = (),
) -> Reconciliation:
    """Reconcile the orders of one month (``2026-03``) with the invoices.

    Differences up to ``tolerance`` euro an order pass as rounding. The findings' differences add up to billed less
    ordered, so that nothing is left unexplained.
    """
    known = {order.number: order for order in orders}
    due = [order for order in orders if f"{order.ordered_on:%Y-%m}" == period]
    sorting = _Sorting()
    for invoice in sorted(invoices, key=lambda found: (found.issued_on, found.number, found.file.stem)):
        _place(invoice, sorting, known, ledger, period, tolerance)
    matches = []
    for order in due:
        match, findings = _close(order, sorting, ledger, tolerance)
        matches.append(match)
        sorting.findings += findings
    return Reconciliation(
        period=period,
        matches=tuple(matches),
        findings=tuple(sorted([*unreadable, *_with_guesses(sorting.findings)], key=_weight)),
        invoices=tuple(sorting.kept),
        ordered=sum((match.ordered for match in matches), Decimal(0)),
        billed=sum((ledger.in_euro(kept.net, kept.currency) for kept in sorting.kept), Decimal(0)),
        other_periods=sorting.other_periods,
    )


def _place(
    invoice: Invoice,
    sorting: _Sorting,
    known: Mapping[str, Order],
    ledger: Ledger,
    period: str,
    tolerance: Decimal,
) -> None:
    """Give an invoice to its order, or find what keeps it from any."""
    net = ledger.in_euro(invoice.net, invoice.currency)
    order = known.get(invoice.order_number)
    supplier_id = _supplier_of(invoice, ledger)
    refusal = _refusal(invoice, supplier_id, order, sorting, ledger, tolerance)
    if refusal is None and order is not None and f"{order.ordered_on:%Y-%m}" != period:
        sorting.other_periods += 1
        return
    sorting.kept.append(invoice)
    sorting.seen.setdefault((supplier_id, invoice.number), invoice)
    if refusal is not None:
        kind, explanation, action = refusal
        sorting.findings.append(
            Finding(
                kind,
                explanation,
                action,
                difference=net,
                order_number=invoice.order_number,
                invoice_number=invoice.number,
                supplier_id=supplier_id,
                file=invoice.file.name,
            )
        )
    elif order is not None:
        sorting.accepted.setdefault(order.number, []).append(invoice)
        sorting.billed[order.number] = sorting.billed.get(order.number, Decimal(0)) + net
        sorting.findings += checks.check_invoice(invoice, ledger.suppliers[supplier_id], tolerance)


def _refusal(
    invoice: Invoice,
    supplier_id: str,
    order: Order | None,
    sorting: _Sorting,
    ledger: Ledger,
    tolerance: Decimal,
) -> tuple[Kind, str, str] | None:
    """Say why an invoice counts for no order, or None where it does."""
    key = (supplier_id, invoice.number)
    if not supplier_id:
        return (
            Kind.UNKNOWN_SUPPLIER,
            f"No supplier has the VAT id {invoice.vat_id}.",
            "Check the sender before anything is paid.",
        )
    if key in sorting.seen:
        first = sorting.seen[key].file.name
        return (
            Kind.DUPLICATE,
            f"The same invoice number came in {first} before.",
            "Pay it once; delete the copy.",
        )
    if key in ledger.posted:
        return (
            Kind.ALREADY_POSTED,
            f"This invoice was posted on {ledger.posted[key]:%Y-%m-%d}.",
            "Do not post it again.",
        )
    if not invoice.order_number:
        return Kind.NO_ORDER_NUMBER, "The invoice names no order.", "Ask the supplier for the order number."
    if order is None or order.supplier_id != supplier_id:
        whose = "is not an order of ours" if order is None else f"is an order with {order.supplier_id}"
        return (
            Kind.UNKNOWN_ORDER,
            f"{invoice.order_number} {whose}.",
            "Ask the supplier which order is meant.",
        )
    ordered = ledger.in_euro(order.net, order.currency)
    if sorting.accepted.get(order.number) and sorting.billed[order.number] >= ordered - tolerance:
        earlier = sorting.accepted[order.number][-1].number
        return (
            Kind.BILLED_TWICE,
            f"{order.number} was billed in full by {earlier}.",
            "Reject the invoice, unless something was delivered twice.",
        )
    return None


def _close(
    order: Order, sorting: _Sorting, ledger: Ledger, tolerance: Decimal
) -> tuple[Match, list[Finding]]:
    """Compare an order with all invoices that count for it."""
    invoices = sorting.accepted.get(order.number, [])
    ordered = ledger.in_euro(order.net, order.currency)
    billed = sorting.billed.get(order.number, Decimal(0))
    findings = checks.check_prices(order, ledger)
    amount = checks.check_amount(order, invoices, ordered, billed, tolerance)
    if amount is not None:
        findings.append(amount)
    status = "Matched"
    if amount is not None and amount.severity is not Severity.NOTE:
        status = amount.kind.value
    return Match(order, tuple(invoices), ordered, billed, status), findings


def _with_guesses(findings: Sequence[Finding]) -> list[Finding]:
    """Name the order that an invoice without one probably means: same supplier, same amount, not yet billed."""
    missing = {
        (finding.supplier_id, -finding.difference): finding.order_number
        for finding in findings
        if finding.kind is Kind.MISSING_INVOICE
    }
    guessed = []
    for finding in findings:
        order = missing.get((finding.supplier_id, finding.difference), "")
        if order and finding.kind in (Kind.UNKNOWN_ORDER, Kind.NO_ORDER_NUMBER):
            guess = f"Probably {order}: same supplier, same amount, nothing billed yet."
            finding = replace(finding, action=f"{guess} {finding.action}")  # noqa: PLW2901  # the list gets the better one
        guessed.append(finding)
    return guessed


def _supplier_of(invoice: Invoice, ledger: Ledger) -> str:
    return next((one.id for one in ledger.suppliers.values() if one.vat_id == invoice.vat_id), "")


def _weight(finding: Finding) -> tuple[int, int, str, str]:
    severities, kinds = list(Severity), list(Kind)
    return (
        severities.index(finding.severity),
        kinds.index(finding.kind),
        finding.order_number,
        finding.invoice_number,
    )
