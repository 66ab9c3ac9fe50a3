"""The single checks: each compares plain values and returns what it finds, or nothing."""

from collections.abc import Sequence
from decimal import Decimal

from reconcile.model import CENT, Finding, Invoice, Kind, Ledger, Order, Supplier, cents

SUM_TOLERANCE = Decimal("0.50")
"""Suppliers with a currency of small units round their totals to whole or half units; in the invoice's currency."""


def check_amount(
    order: Order, invoices: Sequence[Invoice], ordered: Decimal, billed: Decimal, tolerance: Decimal
) -> Finding | None:
    """Compare what an order comes to with what was billed for it; both in euro without tax."""
    if not invoices:
        return Finding(
            Kind.MISSING_INVOICE,
            f"Nothing was billed for this order of {order.ordered_on:%Y-%m-%d}.",
            "Ask the supplier, or accrue the amount.",
            difference=-ordered,
            order_number=order.number,
            supplier_id=order.supplier_id,
        )
    difference = billed - ordered
    if not difference:
        return None
    kind, explanation, action = _explain(order, invoices, difference, tolerance)
    return Finding(
        kind,
        explanation,
        action,
        difference=difference,
        order_number=order.number,
        invoice_number=", ".join(invoice.number for invoice in invoices),
        supplier_id=order.supplier_id,
        file=", ".join(invoice.file.name for invoice in invoices),
    )


def check_invoice(invoice: Invoice, supplier: Supplier, tolerance: Decimal) -> list[Finding]:
    """Check an invoice in itself: its tax and its sums."""
    return [*_check_tax(invoice, supplier), *_check_sums(invoice, supplier, tolerance)]


def check_prices(order: Order, ledger: Ledger) -> list[Finding]:
    """Compare the prices of an order with those agreed with the supplier."""
    return [
        Finding(
            Kind.PRICE_OFF_LIST,
            f"{line.article} was ordered at {line.unit_price:,.2f} {order.currency}; agreed is {agreed:,.2f}.",
            "Correct the order, or update the price list.",
            order_number=order.number,
            supplier_id=order.supplier_id,
        )
        for line in order.lines
        if (agreed := ledger.prices.get((order.supplier_id, line.article), line.unit_price))
        != line.unit_price
    ]


def _check_tax(invoice: Invoice, supplier: Supplier) -> list[Finding]:
    billed, agreed = _percent(invoice.vat_percent), _percent(supplier.vat_percent)
    tax = cents(invoice.net * invoice.vat_percent / 100)
    if invoice.vat_percent != supplier.vat_percent:
        explanation = f"VAT is billed at {billed}; {supplier.name} bills {agreed}."
    elif abs(tax - invoice.vat) > CENT:
        explanation = f"{billed} of {invoice.net:,.2f} is {tax:,.2f}, not {invoice.vat:,.2f}."
    else:
        return []
    action = "Ask for a corrected invoice; the tax cannot be reclaimed as it stands."
    return [_of_invoice(Kind.WRONG_VAT, invoice, supplier, explanation, action)]


def _check_sums(invoice: Invoice, supplier: Supplier, tolerance: Decimal) -> list[Finding]:
    off = []
    if invoice.net + invoice.vat != invoice.total:
        off.append(f"Net and VAT come to {invoice.net + invoice.vat:,.2f}, not {invoice.total:,.2f}.")
    lines = sum((line.amount for line in invoice.lines), Decimal(0))
    if abs(lines - invoice.net) > max(tolerance, SUM_TOLERANCE):
        off.append(f"The positions come to {lines:,.2f}, not {invoice.net:,.2f}.")
    if not off:
        return []
    return [_of_invoice(Kind.WRONG_SUM, invoice, supplier, " ".join(off), "Ask for a corrected invoice.")]


def _percent(rate: Decimal) -> str:
    return f"{rate.normalize():f} %"


def _explain(
    order: Order, invoices: Sequence[Invoice], difference: Decimal, tolerance: Decimal
) -> tuple[Kind, str, str]:
    currencies = {invoice.currency for invoice in invoices}
    if currencies != {order.currency}:
        return (
            Kind.OTHER_CURRENCY,
            f"Ordered in {order.currency}, billed in {', '.join(sorted(currencies))}.",
            "Ask the supplier for an invoice in the currency of the order.",
        )
    if abs(difference) <= tolerance:
        return Kind.ROUNDING, f"{difference:+.2f} EUR, within the tolerance.", "None."
    return Kind.AMOUNT_MISMATCH, _by_line(order, invoices), "Compare with the delivery note before paying."


def _by_line(order: Order, invoices: Sequence[Invoice]) -> str:
    """Say in which positions order and invoices differ."""
    quantities: dict[str, Decimal] = {}
    prices: dict[str, Decimal] = {}
    for line in (line for invoice in invoices for line in invoice.lines):
        quantities[line.article] = quantities.get(line.article, Decimal(0)) + line.quantity
        prices[line.article] = line.unit_price
    ordered = {line.article: line for line in order.lines}
    parts = [f"{article}: billed, not ordered" for article in quantities if article not in ordered]
    for article, wanted in ordered.items():
        billed = quantities.get(article, Decimal(0))
        if billed != wanted.quantity:
            parts.append(f"{article}: {billed} billed, {wanted.quantity} ordered")
        if prices.get(article, wanted.unit_price) != wanted.unit_price:
            parts.append(f"{article}: billed at {prices[article]:,.2f}, ordered at {wanted.unit_price:,.2f}")
    return "; ".join(parts) or "The sums differ although the positions agree."


def _of_invoice(kind: Kind, invoice: Invoice, supplier: Supplier, explanation: str, action: str) -> Finding:
    return Finding(
        kind,
        explanation,
        action,
        order_number=invoice.order_number,
        invoice_number=invoice.number,
        supplier_id=supplier.id,
        file=invoice.file.name,
    )
