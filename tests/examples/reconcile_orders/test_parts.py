"""The decisions of the bot, on values."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

AMOUNTS = st.decimals(min_value=0, max_value=10**9, places=2)


@settings(deadline=None)  # the first call imports the PDF reader
@given(AMOUNTS)
def test_numbers_are_read_as_english_and_continental_writers_print_them(amount: Decimal) -> None:
    from reconcile.invoices import parse_number

    english = f"{amount:,.2f}"
    continental = english.replace(",", " ").replace(".", ",").replace(" ", ".")
    assert parse_number(english) == amount
    assert parse_number(continental) == amount
    assert parse_number(f"{amount:.2f}") == amount


@pytest.mark.parametrize("text", ["", "12,34,5", "1.2345,00", "-3", "12 EUR", "NaN", "1,,2"])
def test_what_is_no_number_is_refused(text: str) -> None:
    from reconcile.invoices import parse_number

    with pytest.raises(ValueError, match="not a number"):
        parse_number(text)


def an_order(number="PO-1", quantity=10, price="5.00", currency="EUR"):
    from reconcile.model import Order, OrderLine

    line = OrderLine("AA-1", Decimal(quantity), Decimal(price))
    return Order(number, date(2026, 3, 4), "S-1", currency, (line,))


def an_invoice(number="R-1", order="PO-1", quantity=10, price="5.00", vat=19, day=10):
    from reconcile.model import Invoice, InvoiceLine, cents

    net = cents(Decimal(quantity) * Decimal(price))
    tax = cents(net * vat / 100)
    line = InvoiceLine("AA-1", Decimal(quantity), Decimal(price), net)
    return Invoice(
        Path(f"{number}.pdf"), number, date(2026, 3, day), "DE1", order, "EUR", (line,), net,
        Decimal(vat), tax, net + tax,
    )  # fmt: skip


def reconciled(orders, invoices, tolerance="0.05", posted=None):
    from reconcile.matching import reconcile
    from reconcile.model import Ledger, Supplier

    supplier = Supplier("S-1", "One", "DE1", Decimal(19), "EUR")
    ledger = Ledger({"S-1": supplier}, {}, {"EUR": Decimal(1)}, posted or {})
    return reconcile(orders, invoices, ledger, period="2026-03", tolerance=Decimal(tolerance))


def kinds(result) -> list[str]:
    return [finding.kind.value for finding in result.findings]


def test_two_part_deliveries_fill_one_order() -> None:
    result = reconciled([an_order()], [an_invoice("R-1", quantity=4), an_invoice("R-2", quantity=6)])

    assert kinds(result) == []
    assert [invoice.number for invoice in result.matches[0].invoices] == ["R-1", "R-2"]


def test_invoice_after_a_full_one_is_billed_twice() -> None:
    result = reconciled([an_order()], [an_invoice("R-1"), an_invoice("R-2", day=11)])

    assert kinds(result) == ["Billed twice"]
    assert result.difference == Decimal("50.00")


def test_posted_invoice_is_not_paid_again() -> None:
    result = reconciled([an_order()], [an_invoice()], posted={("S-1", "R-1"): date(2026, 3, 1)})

    assert kinds(result) == ["Already posted", "Missing invoice"]


def test_mistyped_order_number_gets_a_guess() -> None:
    result = reconciled([an_order()], [an_invoice(order="PO-7")])

    unknown = next(finding for finding in result.findings if finding.kind.value == "Unknown order")
    assert unknown.action.startswith("Probably PO-1")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["PO-1", "PO-2", "PO-3", "PO-9", ""]), st.integers(1, 20), st.integers(0, 400)
        ),
        max_size=8,
    )
)
def test_findings_explain_the_whole_difference(bills) -> None:
    orders = [an_order(f"PO-{place}", quantity=place * 3) for place in (1, 2, 3)]
    invoices = [
        an_invoice(f"R-{place % 5}", order, quantity, f"{cents / 100:.2f}")
        for place, (order, quantity, cents) in enumerate(bills)
    ]

    result = reconciled(orders, invoices)

    assert sum(finding.difference for finding in result.findings) == result.difference
