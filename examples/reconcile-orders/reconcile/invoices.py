"""Reads invoices from PDF files, in English, German and Dutch.

An invoice is read by its labels, not by where on the page they stand, so that a supplier may change its layout. What
is printed is taken as it is: whether it is right is for `checks` to say.
"""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from reconcile.model import Invoice, InvoiceLine, UnreadableFile

LABELS = {
    "number": ("Invoice number", "Rechnungsnummer", "Factuurnummer"),
    "day": ("Invoice date", "Rechnungsdatum", "Factuurdatum"),
    "order": ("Your order", "Ihre Bestellung", "Uw bestelling"),
    "vat_id": ("VAT registration", "USt-IdNr.", "Btw-nummer"),
    "net": ("Net total", "Nettobetrag", "Totaal excl. btw"),
    "total": ("Total due", "Gesamtbetrag", "Te betalen"),
}
_VAT = re.compile(r"^(?:VAT|MwSt|Btw) (?P<percent>\d+(?:[.,]\d+)?) ?%: (?P<amount>.+)$", re.MULTILINE)
_LINE = re.compile(
    r"^(?P<article>[A-Z]{2}-[A-Z0-9-]+) .*? (?P<quantity>\d+) (?P<price>[\d.,]+) (?P<amount>[\d.,]+)$",
    re.MULTILINE,
)
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def read_invoice(path: Path) -> Invoice:
    """Return what is printed on an invoice; raise `UnreadableFile` that says what cannot be found on it."""
    text = _text_of(path)
    vat = _VAT.search(text)
    if vat is None:
        raise UnreadableFile(f"{path.name}: no line with the VAT rate and amount.")
    currency, net = _amount(path, _labelled(path, text, "net"))
    try:
        return Invoice(
            file=path,
            number=_labelled(path, text, "number"),
            issued_on=_day(_labelled(path, text, "day")),
            vat_id=_labelled(path, text, "vat_id"),
            order_number=_find(text, "order"),
            currency=currency,
            lines=tuple(_line(found) for found in _LINE.finditer(text)),
            net=net,
            vat_percent=parse_number(vat["percent"]),
            vat=_amount(path, vat["amount"])[1],
            total=_amount(path, _labelled(path, text, "total"))[1],
        )
    except ValueError as error:
        raise UnreadableFile(f"{path.name}: {error}") from None


def parse_number(text: str) -> Decimal:
    """Read a number as English (1,234.56) or continental (1.234,56) writers print it.

    The last of ``.`` and ``,`` is the decimal sign when one or two digits follow it; all others group thousands.
    Raises `ValueError` for anything else.
    """
    found = re.fullmatch(r"(\d{1,3}(?:[.,]\d{3})*|\d+)(?:[.,](\d{1,2}))?", text.strip())
    if found is None:
        raise ValueError(f"'{text}' is not a number.")
    whole = re.sub(r"[.,]", "", found[1])
    return Decimal(f"{whole}.{found[2] or 0}")


def _text_of(path: Path) -> str:
    try:
        text = "\n".join(page.extract_text() for page in PdfReader(path).pages)
    except (OSError, PyPdfError, ValueError, KeyError) as error:
        raise UnreadableFile(f"{path.name} cannot be read as a PDF: {error}") from None
    if not text.strip():
        raise UnreadableFile(f"{path.name} holds no text: it is a scan. Ask for the original or type it in.")
    return text


def _find(text: str, label: str) -> str:
    names = "|".join(re.escape(name) for name in LABELS[label])
    found = re.search(rf"^(?:{names}): *(.+?) *$", text, re.MULTILINE)
    return found[1] if found else ""


def _labelled(path: Path, text: str, label: str) -> str:
    value = _find(text, label)
    if not value:
        raise UnreadableFile(f"{path.name}: no line such as '{LABELS[label][0]}: ...'.")
    return value


def _amount(path: Path, text: str) -> tuple[str, Decimal]:
    currency, _, number = text.partition(" ")
    try:
        return currency, parse_number(number)
    except ValueError as error:
        raise UnreadableFile(f"{path.name}: {error}") from None


def _line(found: re.Match[str]) -> InvoiceLine:
    return InvoiceLine(
        found["article"],
        Decimal(found["quantity"]),
        parse_number(found["price"]),
        parse_number(found["amount"]),
    )


def _day(text: str) -> date:
    numeric = re.fullmatch(r"(\d{1,2})[.-](\d{1,2})[.-](\d{4})", text)
    if numeric:
        return date(int(numeric[3]), int(numeric[2]), int(numeric[1]))
    spelt = re.fullmatch(r"(\d{1,2}) (\w+) (\d{4})", text)
    if spelt and spelt[2] in _MONTHS:
        return date(int(spelt[3]), _MONTHS.index(spelt[2]) + 1, int(spelt[1]))
    raise ValueError(f"'{text}' is not a date.")
