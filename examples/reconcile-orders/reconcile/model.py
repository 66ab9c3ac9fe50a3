"""Orders, invoices, suppliers and findings, as plain values. Amounts are exact decimals, never floats."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from pathlib import Path

CENT = Decimal("0.01")


class UnreadableFile(Exception):
    """A file that cannot be used; the text names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One position of an order."""

    article: str
    quantity: Decimal
    unit_price: Decimal

    @property
    def amount(self) -> Decimal:
        """Quantity times price, rounded to cents."""
        return cents(self.quantity * self.unit_price)


@dataclass(frozen=True, slots=True)
class Order:
    """One order with all its positions."""

    number: str
    ordered_on: date
    supplier_id: str
    currency: str
    lines: tuple[OrderLine, ...]

    @property
    def net(self) -> Decimal:
        """What the order comes to without tax, in its own currency."""
        return sum((line.amount for line in self.lines), Decimal(0))


@dataclass(frozen=True, slots=True)
class Supplier:
    """A supplier as accounting knows it; ``vat_percent`` is the rate that its invoices must show."""

    id: str
    name: str
    vat_id: str
    vat_percent: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """What accounting holds: suppliers, agreed prices, exchange rates and the invoices posted before."""

    suppliers: Mapping[str, Supplier]
    prices: Mapping[tuple[str, str], Decimal]
    """Agreed unit price by supplier and article."""
    rates: Mapping[str, Decimal]
    """Units of a currency for one euro."""
    posted: Mapping[tuple[str, str], date]
    """When an invoice was posted, by supplier and invoice number."""

    def in_euro(self, amount: Decimal, currency: str) -> Decimal:
        """Convert an amount and round it to cents; raise `UnreadableFile` for a currency without a rate."""
        try:
            return cents(amount / self.rates[currency])
        except KeyError:
            known = ", ".join(sorted(self.rates))
            raise UnreadableFile(
                f"The ledger has no exchange rate for {currency} in this month; it has {known}."
            ) from None


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One position of an invoice, as printed."""

    article: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Invoice:
    """One invoice, as printed; ``order_number`` is empty where none is named."""

    file: Path
    number: str
    issued_on: date
    vat_id: str
    order_number: str
    currency: str
    lines: tuple[InvoiceLine, ...]
    net: Decimal
    vat_percent: Decimal
    vat: Decimal
    total: Decimal


class Kind(StrEnum):
    """What can be wrong; the value is what people read."""

    MISSING_INVOICE = "Missing invoice"
    AMOUNT_MISMATCH = "Amount differs"
    OTHER_CURRENCY = "Other currency"
    ROUNDING = "Rounding"
    DUPLICATE = "Duplicate invoice"
    BILLED_TWICE = "Billed twice"
    ALREADY_POSTED = "Already posted"
    UNKNOWN_ORDER = "Unknown order"
    NO_ORDER_NUMBER = "No order number"
    UNKNOWN_SUPPLIER = "Unknown supplier"
    WRONG_VAT = "Wrong VAT"
    WRONG_SUM = "Sum does not add up"
    PRICE_OFF_LIST = "Price not as agreed"
    UNREADABLE = "Unreadable file"


class Severity(StrEnum):
    """How much a finding matters: errors stop a payment, warnings want a look, notes are for the record."""

    ERROR = "Error"
    WARNING = "Warning"
    NOTE = "Note"


SEVERITIES: Mapping[Kind, Severity] = dict.fromkeys(Kind, Severity.ERROR) | {
    Kind.MISSING_INVOICE: Severity.WARNING,
    Kind.PRICE_OFF_LIST: Severity.WARNING,
    Kind.ROUNDING: Severity.NOTE,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One exception. ``difference`` is the part of (billed - ordered), in euro without tax, that it explains."""

    kind: Kind
    explanation: str
    action: str
    difference: Decimal = Decimal(0)
    order_number: str = ""
    invoice_number: str = ""
    supplier_id: str = ""
    file: str = ""

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return SEVERITIES[self.kind]


@dataclass(frozen=True, slots=True)
class Match:
    """An order of the period with the invoices that count for it; both amounts in euro without tax."""

    order: Order
    invoices: tuple[Invoice, ...]
    ordered: Decimal
    billed: Decimal
    status: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The whole result for one period."""

    period: str
    matches: tuple[Match, ...]
    findings: tuple[Finding, ...]
    invoices: tuple[Invoice, ...]
    """Every readable invoice of the period, whether it counts for an order or not."""
    ordered: Decimal
    billed: Decimal
    other_periods: int = field(default=0)
    """Invoices for orders of other months, left to those months."""

    @property
    def difference(self) -> Decimal:
        """Billed less ordered, in euro without tax."""
        return self.billed - self.ordered

    @property
    def exceptions(self) -> tuple[Finding, ...]:
        """The findings that want someone's attention: all but notes."""
        return tuple(finding for finding in self.findings if finding.severity is not Severity.NOTE)


def cents(amount: Decimal) -> Decimal:
    """Round half up to two places, as invoices do."""
    return amount.quantize(CENT, ROUND_HALF_UP)
