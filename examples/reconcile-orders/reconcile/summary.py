"""Writes the summary sheet. Every total is a formula over the other sheets, so that it follows a change made by hand."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from openpyxl.formatting.rule import FormulaRule
from openpyxl.styles import Alignment, Font, PatternFill

from reconcile.model import Kind, Reconciliation
from reconcile.styling import COUNT, EURO, FIRST_ROW, GREY, PALE, TEAL, THIN, TINTS, font, ready_to_print

_TEXT = Alignment(horizontal="left", indent=1)
_NUMBER = Alignment(horizontal="right")
_FORMATS = {"G": "General", "E": EURO, "C": COUNT}
_TEXT_HEADS = ("Totals", "Exceptions", "Supplier", "Severity")


class Summary:
    """Writes the first sheet from top to bottom; ``row`` is where the next line goes."""

    def __init__(
        self, sheet: Any, result: Reconciliation, names: Mapping[str, str], made_at: datetime
    ) -> None:
        self.sheet = sheet
        self.result = result
        self.names = names
        self.made_at = made_at
        self.row = 1

    def write(self) -> None:
        """Write the whole sheet."""
        for letter, width in zip("ABCDE", (36, 16, 16, 17, 14), strict=True):
            self.sheet.column_dimensions[letter].width = width
        title = f"Orders and invoices, {self.result.period}"
        stamp = f"Made {self.made_at:%Y-%m-%d %H:%M %Z}. Amounts in EUR without VAT; the totals are formulas."
        self._say(title, font(bold=True, size=16))
        self._say(stamp, font(color=GREY))
        self.row += 1
        self._totals()
        self._by_kind()
        self._by_supplier()
        ready_to_print(self.sheet, "portrait")

    def _totals(self) -> None:
        self._head(["Totals", "Amount EUR", "Count"])
        orders, invoices, findings = self._last_rows()
        first = self.row
        rows: list[list[object]] = [
            ["Ordered", f"=SUM(Orders!F2:F{orders})", f"=COUNTA(Orders!A2:A{orders})"],
            ["Billed", f"=SUM(Invoices!J2:J{invoices})", f"=COUNTA(Invoices!A2:A{invoices})"],
            ["Difference", f"=B{first + 1}-B{first}", None],
            ["   explained by the exceptions", f"=SUM(Exceptions!F2:F{findings})", f"=COUNTA(Exceptions!A2:A{findings})"],
            ["   left unexplained", f"=ROUND(B{first + 2}-B{first + 3},2)", None],
            ["Orders matched", None, f'=COUNTIF(Orders!I2:I{orders},"Matched")'],
        ]  # fmt: skip
        for row in rows:
            self._line(row, "GEC", font(bold=row[0] == "Difference"))
        self.row += 1

    def _by_kind(self) -> None:
        self._head(["Exceptions", "Difference EUR", "Count", "Severity"])
        last = self._last_rows()[2]
        present = {finding.kind: finding.severity for finding in self.result.findings}

        def counted(kind: Kind) -> list[object]:
            name = f"A{self.row}"
            return [
                kind.value,
                f"=SUMIF(Exceptions!B$2:B${last},{name},Exceptions!F$2:F${last})",
                f"=COUNTIF(Exceptions!B$2:B${last},{name})",
                present[kind].value,
            ]

        self._table([kind for kind in Kind if kind in present], counted, "GECG")
        self._tint_severities()

    def _by_supplier(self) -> None:
        self._head(["Supplier", "Ordered EUR", "Billed EUR", "Difference EUR", "Orders open"])
        orders, invoices, _ = self._last_rows()

        def compared(supplier: str) -> list[object]:
            name = f"A{self.row}"
            return [
                supplier,
                f"=SUMIF(Orders!C$2:C${orders},{name},Orders!F$2:F${orders})",
                f"=SUMIF(Invoices!C$2:C${invoices},{name},Invoices!J$2:J${invoices})",
                f"=C{self.row}-B{self.row}",
                f'=COUNTIFS(Orders!C$2:C${orders},{name},Orders!I$2:I${orders},"<>Matched")',
            ]

        self._table(sorted(self.names.values()), compared, "GEEEC")

    def _table(self, keys: Sequence[Any], cells: Callable[[Any], list[object]], kinds: str) -> None:
        """Write a row a key and a total below; ``kinds`` says of each column whether it holds euro, a count or text."""
        first = self.row
        for key in keys:
            self._line(cells(key), kinds)
        if keys:
            total: list[object] = ["Total"]
            for letter, kind in zip("BCDE", kinds[1:], strict=False):
                total.append(None if kind == "G" else f"=SUM({letter}{first}:{letter}{self.row - 1})")
            self._line(total, kinds, font(bold=True))
        else:
            self._say("None", font(color=GREY))
        self.row += 1

    def _tint_severities(self) -> None:
        for severity, tint in TINTS.items():
            rule = FormulaRule(formula=[f'$D1="{severity}"'], fill=PatternFill(bgColor=tint))
            self.sheet.conditional_formatting.add(f"D1:D{self.row}", rule)

    def _head(self, names: Sequence[str]) -> None:
        for place, name in enumerate(names, start=1):
            cell = self.sheet.cell(self.row, place, name)
            cell.font = font(bold=True, color=TEAL)
            cell.fill = PatternFill("solid", fgColor=PALE)
            cell.alignment = _TEXT if name in _TEXT_HEADS else _NUMBER
        self.row += 1

    def _say(self, text: str, look: Font) -> None:
        cell = self.sheet.cell(self.row, 1, text)
        cell.font = look
        cell.alignment = _TEXT
        self.row += 1

    def _line(self, values: Sequence[object], kinds: str, look: Font | None = None) -> None:
        for place, (value, kind) in enumerate(zip(values, kinds, strict=False), start=1):
            cell = self.sheet.cell(self.row, place, value)
            cell.number_format = _FORMATS[kind]
            cell.font = look or font()
            cell.alignment = _TEXT if kind == "G" else _NUMBER
            cell.border = THIN
        self.row += 1

    def _last_rows(self) -> tuple[int, int, int]:
        """Return the last rows of orders, invoices and exceptions; the first where empty, so that formulas stay valid."""
        lists = (self.result.matches, self.result.invoices, self.result.findings)
        orders, invoices, findings = (max(len(rows) + 1, FIRST_ROW) for rows in lists)
        return orders, invoices, findings
