# /// script
# requires-python = ">=3.11"
# dependencies = ["fpdf2==2.8.9", "openpyxl==3.1.5", "pillow>=12"]
# ///
"""Make the files in `data/` anew: one month of an office supplier's purchases, with the faults that real months have.

The same files come out each time. Run it with `uv run make_data.py` in this folder; the bot itself never needs it.
The company, its suppliers, their numbers and all amounts are made up.
"""

import csv
import io
import random
import re
import zipfile
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from fpdf import FPDF
from openpyxl import Workbook
from openpyxl.styles import Font
from PIL import Image, ImageDraw

DATA = Path(__file__).parent / "data"
BUYER = ("Hafenkontor Handels GmbH", "Am Sandtorkai 77", "20457 Hamburg", "Deutschland")
CENT = Decimal("0.01")
MADE_AT = datetime(2026, 4, 2, 7, tzinfo=UTC)
RATES = {"EUR": Decimal(1), "GBP": Decimal("0.8642"), "SEK": Decimal("11.0430"), "CZK": Decimal("24.915")}


@dataclass(frozen=True)
class Supplier:
    """One supplier; ``layout`` names the form its invoices have."""

    id: str
    name: str
    street: str
    town: str
    country: str
    vat_id: str
    vat_percent: int
    currency: str
    layout: str
    prefix: str


SUPPLIERS = [
    Supplier("S-101", "Nordlicht Papier GmbH", "Speicherstr. 12", "24103 Kiel", "DE", "DE999000101", 19, "EUR", "de", "RE-26"),
    Supplier("S-102", "Buchhaus Lindner KG", "Marktplatz 3", "04109 Leipzig", "DE", "DE999000202", 7, "EUR", "de", "2026/"),
    Supplier("S-103", "Van Dijk Kantoor B.V.", "Keizersgracht 401", "1016 EK Amsterdam", "NL", "NL999000303B01", 0, "EUR", "nl", "VDK"),
    Supplier("S-104", "Harrow & Pike Ltd", "18 Quay Street", "Bristol BS1 4DJ", "GB", "GB999000404", 0, "GBP", "en", "HP-"),
    Supplier("S-105", "Lindqvist Kontorsmöbler AB", "Storgatan 9", "411 24 Göteborg", "SE", "SE999000050501", 0, "SEK", "en", "LK"),
    Supplier("S-106", "Tiskarna Morava s.r.o.", "Masarykova 28", "602 00 Brno", "CZ", "CZ99900606", 0, "CZK", "en", "TM2026-"),
]  # fmt: skip

ARTICLES = {
    "S-101": [("NP-A4-80", "Kopierpapier A4 80 g, 500 Blatt", "4.29"), ("NP-A3-80", "Kopierpapier A3 80 g, 500 Blatt", "8.95"), ("NP-ENV-C5", "Briefhüllen C5, 500 Stück", "21.40"), ("NP-LBL-24", "Etiketten 70 x 37 mm, 2400 Stück", "17.85")],
    "S-102": [("BL-4711", "Handbuch Umsatzsteuer 2026", "49.00"), ("BL-4802", "Incoterms kompakt", "24.90"), ("BL-5120", "Wandkalender Häfen 2027", "14.95")],
    "S-103": [("VD-CHAIR-2", "Bureaustoel Delft", "189.00"), ("VD-LAMP-7", "Bureaulamp Zuid", "54.50"), ("VD-MAT-120", "Vloermat 120 x 90 cm", "38.25")],
    "S-104": [("HP-PEN-BLK", "Gel pens, black, box of 12", "9.60"), ("HP-NB-A5", "Notebook A5 ruled, pack of 5", "13.75"), ("HP-STP-24", "Heavy duty stapler", "27.30")],
    "S-105": [("LK-DESK-160", "Sit-stand desk 160 cm", "5490.00"), ("LK-CAB-4", "Filing cabinet, 4 drawers", "2195.00"), ("LK-SCR-140", "Desk screen 140 cm", "1249.50")],
    "S-106": [("TM-LH-1000", "Letterheads, 1000 sheets", "1890.00"), ("TM-BC-250", "Business cards, 250", "412.00"), ("TM-FLY-A5", "Flyers A5, 2500", "3275.00")],
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One position of an order or an invoice."""

    article: str
    description: str
    quantity: int
    price: Decimal

    @property
    def amount(self) -> Decimal:
        """Quantity times price, in cents."""
        return (self.quantity * self.price).quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True)
class Order:
    """One order as it stands in orders.csv."""

    number: str
    day: date
    supplier: Supplier
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Bill:
    """One invoice as it will be printed; ``net_shift`` and ``vat_shift`` plant sums that are a little or much off."""

    file: str
    number: str
    day: date
    supplier: Supplier
    order_number: str
    lines: tuple[Line, ...]
    currency: str
    vat_percent: int
    net_shift: Decimal = Decimal(0)
    vat_shift: Decimal = Decimal(0)
    scanned: bool = field(default=False)

    @property
    def net(self) -> Decimal:
        """What stands as the net total."""
        return sum((line.amount for line in self.lines), Decimal(0)) + self.net_shift

    @property
    def vat(self) -> Decimal:
        """What stands as the tax."""
        return (self.net * self.vat_percent / 100).quantize(CENT, ROUND_HALF_UP) + self.vat_shift


def main() -> None:
    """Write orders.csv, ledger.xlsx and the invoices."""
    chance = random.Random(20260331)
    orders = make_orders(chance)
    faultless = make_bills(orders, chance)
    bills = plant_faults(faultless)
    (DATA / "invoices").mkdir(parents=True, exist_ok=True)
    for old in (DATA / "invoices").glob("*.pdf"):
        old.unlink()
    write_orders(orders)
    write_ledger(posted=faultless[:6])
    for bill in bills:
        (DATA / "invoices" / bill.file).write_bytes(print_invoice(bill))
    print(f"{len(orders)} orders and {len(bills)} invoices in {DATA}")


def make_orders(chance: random.Random) -> list[Order]:
    """Return six orders of February and 38 of March 2026."""
    days = [date(2026, 2, 16) + timedelta(days=2 * n) for n in range(6)]
    days += sorted(date(2026, 3, chance.randint(2, 30)) for _ in range(38))
    orders = []
    for place, day in enumerate(days):
        supplier = SUPPLIERS[place % len(SUPPLIERS)]
        chosen = chance.sample(ARTICLES[supplier.id], k=chance.choice([1, 2, 2, 3]))
        bulky = supplier.id in {"S-105", "S-106"}
        lines = tuple(
            Line(article, text, chance.randint(1, 6) if bulky else chance.randint(2, 12) * 2, Decimal(price))
            for article, text, price in chosen
        )
        orders.append(Order(f"PO-2026-{1180 + place}", day, supplier, lines))
    return orders


def make_bills(orders: list[Order], chance: random.Random) -> list[Bill]:
    """Return a faultless invoice for every order."""
    counters = {supplier.id: 311 + 97 * place for place, supplier in enumerate(SUPPLIERS)}
    bills = []
    for order in orders:
        counters[order.supplier.id] += chance.randint(1, 9)
        number = f"{order.supplier.prefix}{counters[order.supplier.id]:05d}"
        day = min(order.day + timedelta(days=chance.randint(1, 6)), date(2026, 3, 31))
        file = re.sub(r"[^\w.-]", "-", f"{number}.pdf")
        bills.append(
            Bill(file, number, day, order.supplier, order.number, order.lines, order.supplier.currency,
                 order.supplier.vat_percent)
        )  # fmt: skip
    return bills


def plant_faults(bills: list[Bill]) -> list[Bill]:
    """Turn some faultless invoices into the exceptions that the bot has to find; drop those that never came."""
    found = {bill.order_number: bill for bill in bills[6:]}
    by_supplier = {
        supplier.id: [b for b in found.values() if b.supplier is supplier] for supplier in SUPPLIERS
    }
    paper, books, dutch, british, swedish, czech = by_supplier.values()

    def change(bill: Bill, **values: object) -> None:
        found[bill.order_number] = replace(bill, **values)  # type: ignore[arg-type]  # names are Bill's own

    for never_came in (paper[1], dutch[2], czech[4], british[5]):
        del found[never_came.order_number]
    first, *rest = paper[2].lines
    change(paper[2], lines=(replace(first, quantity=first.quantity + 10), *rest))
    first, *rest = swedish[1].lines
    change(swedish[1], lines=(replace(first, price=first.price * Decimal("1.04")), *rest))
    change(books[0], vat_percent=19)
    change(paper[4], vat_shift=Decimal("9.00"))
    change(british[1], net_shift=Decimal("0.01"))
    change(czech[2], net_shift=Decimal("-0.40"))
    change(british[3], currency="EUR")
    change(dutch[4], order_number="PO-2026-1938")
    change(czech[1], order_number="")
    change(paper[5], scanned=True, file="scan-2026-03-30-0017.pdf")
    half = dutch[1]
    parts = [replace(line, quantity=line.quantity // 2) for line in half.lines]
    others = [replace(line, quantity=line.quantity - line.quantity // 2) for line in half.lines]
    change(half, lines=tuple(parts))
    late = min(half.day + timedelta(days=9), date(2026, 3, 31))
    extra = [
        replace(half, lines=tuple(others), number="VDK00790", file="VDK00790.pdf", day=late),
        replace(books[2], file=books[2].file.replace(".pdf", "-copy.pdf")),
        replace(swedish[3], number="LK00999", file="LK00999.pdf", day=date(2026, 3, 31)),
    ]
    return sorted([*found.values(), *extra, bills[3]], key=lambda bill: (bill.day, bill.number, bill.file))


def write_orders(orders: list[Order]) -> None:
    """Write one row a position, as purchasing exports them."""
    with (DATA / "orders.csv").open("w", encoding="utf-8", newline="") as target:
        rows = csv.writer(target, delimiter=";", lineterminator="\n")
        rows.writerow(
            ["order", "ordered on", "supplier", "position", "article", "description", "quantity", "unit price", "currency"]
        )  # fmt: skip
        for order in orders:
            for place, line in enumerate(order.lines, start=1):
                price = line.price
                if order.number == "PO-2026-1202" and place == 1:
                    price = (price * Decimal("1.10")).quantize(CENT)
                rows.writerow(
                    [order.number, order.day.isoformat(), order.supplier.id, place, line.article, line.description,
                     line.quantity, f"{price:.2f}", order.supplier.currency]
                )  # fmt: skip


def write_ledger(posted: list[Bill]) -> None:
    """Write suppliers, price list, exchange rates and the invoices that were posted already."""
    book = Workbook()
    sheet = book.active
    sheet.title = "Suppliers"
    rows: list[list[object]] = [["Supplier", "Name", "Country", "VAT id", "VAT %", "Currency"]]
    rows += [[s.id, s.name, s.country, s.vat_id, s.vat_percent, s.currency] for s in SUPPLIERS]
    _fill(sheet, rows, (10, 30, 9, 18, 8, 10))
    rows = [["Supplier", "Article", "Description", "Unit price", "Currency", "Valid from"]]
    for supplier in SUPPLIERS:
        rows += [
            [supplier.id, article, text, float(price), supplier.currency, date(2026, 1, 1)]
            for article, text, price in ARTICLES[supplier.id]
        ]
    _fill(book.create_sheet("Price list"), rows, (10, 14, 38, 12, 10, 12))
    rows = [["Currency", "Month", "Units for 1 EUR"]]
    rows += [[currency, "2026-03", float(rate)] for currency, rate in RATES.items()]
    _fill(book.create_sheet("Exchange rates"), rows, (10, 10, 16))
    rows = [["Supplier", "Invoice", "Posted on", "Net", "Currency"]]
    rows += [[b.supplier.id, b.number, b.day + timedelta(days=1), float(b.net), b.currency] for b in posted]
    _fill(book.create_sheet("Posted"), rows, (10, 16, 12, 12, 10))
    (DATA / "ledger.xlsx").write_bytes(_same_each_time(book))


def _fill(sheet, rows: list[list[object]], widths: tuple[int, ...]) -> None:
    for row in rows:
        sheet.append(row)
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for column, width in zip("ABCDEF", widths, strict=False):
        sheet.column_dimensions[column].width = width
    sheet.freeze_panes = "A2"


def _same_each_time(book: Workbook) -> bytes:
    """Save a workbook without the times that saving leaves in it."""
    saved, clean = io.BytesIO(), io.BytesIO()
    book.save(saved)
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(clean, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist()):
            content = old.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2026-04-02T07:00:00Z", content)
            new.writestr(zipfile.ZipInfo(name, (2026, 4, 2, 7, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return clean.getvalue()


WORDS = {
    "en": {"title": "INVOICE", "number": "Invoice number", "day": "Invoice date", "order": "Your order", "vat_id": "VAT registration",
           "columns": ("Article", "Description", "Qty", "Unit price", "Amount"), "net": "Net total", "vat": "VAT", "total": "Total due",
           "note": "Payment within 30 days, quoting the invoice number."},
    "de": {"title": "Rechnung", "number": "Rechnungsnummer", "day": "Rechnungsdatum", "order": "Ihre Bestellung", "vat_id": "USt-IdNr.",
           "columns": ("Artikel", "Bezeichnung", "Menge", "Einzelpreis", "Betrag"), "net": "Nettobetrag", "vat": "MwSt", "total": "Gesamtbetrag",
           "note": "Zahlbar innerhalb von 14 Tagen ohne Abzug."},
    "nl": {"title": "Factuur", "number": "Factuurnummer", "day": "Factuurdatum", "order": "Uw bestelling", "vat_id": "Btw-nummer",
           "columns": ("Artikel", "Omschrijving", "Aantal", "Prijs", "Bedrag"), "net": "Totaal excl. btw", "vat": "Btw", "total": "Te betalen",
           "note": "Btw verlegd. Gelieve te betalen binnen 30 dagen."},
}  # fmt: skip
COLOURS = {"en": (31, 58, 95), "de": (20, 92, 77), "nl": (176, 74, 24)}
WIDTHS = (30, 76, 18, 28, 30)


def print_invoice(bill: Bill) -> bytes:
    """Return an invoice as PDF; a scanned one is a picture without text."""
    pdf = FPDF(format="A4")
    pdf.set_creation_date(MADE_AT)
    pdf.set_producer("Hafenkontor sample data")
    pdf.add_page()
    if bill.scanned:
        pdf.image(_scan_of(bill), x=0, y=0, w=210)
        return bytes(pdf.output())
    words = WORDS[bill.supplier.layout]
    _print_head(pdf, bill, words)
    _print_table(pdf, bill, words)
    _print_sums(pdf, bill, words)
    return bytes(pdf.output())


def _print_head(pdf: FPDF, bill: Bill, words: dict) -> None:
    supplier, colour = bill.supplier, COLOURS[bill.supplier.layout]
    pdf.set_text_color(*colour)
    pdf.set_font("Helvetica", "B", 17)
    pdf.cell(
        0, 9, supplier.name, align="R" if supplier.layout == "nl" else "L", new_x="LMARGIN", new_y="NEXT"
    )
    pdf.set_text_color(90)
    pdf.set_font("Helvetica", "", 9)
    pdf.cell(0, 5, f"{supplier.street}, {supplier.town}, {supplier.country}", new_x="LMARGIN", new_y="NEXT")
    pdf.cell(0, 5, f"{words['vat_id']}: {supplier.vat_id}", new_x="LMARGIN", new_y="NEXT")
    pdf.set_draw_color(*colour)
    pdf.line(10, pdf.get_y() + 3, 200, pdf.get_y() + 3)
    pdf.ln(12)
    pdf.set_text_color(0)
    pdf.set_font("Helvetica", "", 10)
    for line in BUYER:
        pdf.cell(0, 5, line, new_x="LMARGIN", new_y="NEXT")
    pdf.ln(10)
    pdf.set_font("Helvetica", "B", 15)
    pdf.cell(0, 9, str(words["title"]), new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("Helvetica", "", 10)
    facts = [(words["number"], bill.number), (words["day"], _day(bill))]
    if bill.order_number:
        facts.append((words["order"], bill.order_number))
    for name, value in facts:
        pdf.cell(0, 5.5, f"{name}: {value}", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(7)


def _print_table(pdf: FPDF, bill: Bill, words: dict) -> None:
    pdf.set_fill_color(*COLOURS[bill.supplier.layout])
    pdf.set_text_color(255)
    pdf.set_font("Helvetica", "B", 9)
    for place, (name, width) in enumerate(zip(words["columns"], WIDTHS, strict=True)):
        pdf.cell(width, 7, name, fill=True, align="R" if place > 1 else "L")
    pdf.ln(8)
    pdf.set_text_color(0)
    pdf.set_font("Helvetica", "", 9)
    for line in bill.lines:
        cells = (
            line.article,
            line.description,
            str(line.quantity),
            _money(bill, line.price),
            _money(bill, line.amount),
        )
        for place, (text, width) in enumerate(zip(cells, WIDTHS, strict=True)):
            pdf.cell(width, 6.5, text, border="B", align="R" if place > 1 else "L")
        pdf.ln(6.5)
    pdf.ln(4)


def _print_sums(pdf: FPDF, bill: Bill, words: dict) -> None:
    sums = [
        (words["net"], bill.net),
        (f"{words['vat']} {bill.vat_percent} %", bill.vat),
        (words["total"], bill.net + bill.vat),
    ]
    for place, (name, amount) in enumerate(sums):
        pdf.set_font("Helvetica", "B" if place == len(sums) - 1 else "", 10)
        pdf.cell(124, 6.5, "")
        pdf.cell(
            58,
            6.5,
            f"{name}: {bill.currency} {_money(bill, amount)}",
            align="R",
            new_x="LMARGIN",
            new_y="NEXT",
        )
    pdf.ln(14)
    pdf.set_font("Helvetica", "", 9)
    pdf.cell(0, 5, str(words["note"]))


def _scan_of(bill: Bill) -> Image.Image:
    page = Image.new("L", (620, 877), 244)
    draw = ImageDraw.Draw(page)
    lines = [bill.supplier.name, "", f"Rechnung {bill.number}", f"Datum {bill.day:%d.%m.%Y}", ""]
    lines += [f"{line.article}   {line.quantity} x {line.price}" for line in bill.lines]
    lines += ["", f"Netto {bill.net}", f"MwSt {bill.vat}", f"Gesamt {bill.net + bill.vat}"]
    for place, text in enumerate(lines):
        draw.text((62, 70 + 26 * place), text, fill=50)
    return page.rotate(1.2, fillcolor=230)


def _day(bill: Bill) -> str:
    if bill.supplier.layout == "en":
        return f"{bill.day.day} {bill.day:%B %Y}"
    return f"{bill.day:%d.%m.%Y}" if bill.supplier.layout == "de" else f"{bill.day:%d-%m-%Y}"


def _money(bill: Bill, amount: Decimal) -> str:
    text = f"{amount:,.2f}"
    if bill.supplier.layout == "en":
        return text
    return text.replace(",", " ").replace(".", ",").replace(" ", ".")


if __name__ == "__main__":
    main()
