"""The bot as a whole, on the files that ship with it."""

import csv
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from openpyxl import load_workbook

PLANTED = {
    "Missing invoice": 7,
    "Amount differs": 3,
    "Other currency": 1,
    "Duplicate invoice": 1,
    "Billed twice": 1,
    "Already posted": 1,
    "Unknown order": 1,
    "No order number": 1,
    "Wrong VAT": 2,
    "Price not as agreed": 1,
    "Unreadable file": 1,
}


def outputs(text: str) -> dict[str, str]:
    return dict(re.findall(r"^output +(\w+) = (.+)$", text, re.MULTILINE))


def test_sample_month_gives_the_exceptions_that_are_in_it(package, run_example, tmp_path) -> None:
    done = run_example(str(package / "main.py"))

    assert done.returncode == 0, done.stderr
    found = outputs(done.stderr)
    assert found["orders"] == "38"
    assert found["invoices"] == "37"
    assert found["exceptions"] == str(sum(PLANTED.values()))
    with (tmp_path / "output" / "exceptions-2026-03.csv").open(encoding="utf-8-sig") as source:
        rows = list(csv.DictReader(source, delimiter=";"))
    kinds = Counter(row["what"] for row in rows)
    assert kinds == PLANTED | {"Rounding": 2}
    difference = sum(float(row["difference EUR"]) for row in rows)
    assert round(difference, 2) == float(found["difference"])


def test_workbook_computes_its_totals_from_its_lists(package, run_example, tmp_path) -> None:
    run_example(str(package / "main.py"))

    book = load_workbook(tmp_path / "output" / "reconciliation-2026-03.xlsx")

    assert book.sheetnames == ["Summary", "Exceptions", "Orders", "Invoices"]
    summary = {row[0].value: row[1].value for row in book["Summary"].iter_rows(max_col=2)}
    assert summary["Ordered"] == "=SUM(Orders!F2:F39)"
    assert summary["Billed"] == "=SUM(Invoices!J2:J38)"
    exceptions = book["Exceptions"]
    assert exceptions.freeze_panes == "B2"
    assert exceptions.auto_filter.ref == f"A1:I{exceptions.max_row}"
    assert exceptions["F2"].number_format.startswith("#,##0.00")
    assert len(exceptions.conditional_formatting) == 1


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"fail_on_exceptions": True}, "20 exceptions; see the workbook."),
        ({"period": "2025-01"}, "orders.csv holds no order of 2025-01"),
        ({"period": "March"}, "must be a month such as 2026-03"),
        ({"tolerance": "much"}, "must be a number, not 'much'"),
        ({"folder": "/nowhere"}, "ledger.xlsx cannot be read"),
    ],
)
def test_failure_is_one_sentence(package, run_example, inputs, sentence) -> None:
    done = run_example(str(package / "main.py"), inputs=inputs)

    assert done.returncode == 1
    assert sentence in done.stderr


def test_wide_tolerance_lets_small_differences_pass(package, run_example) -> None:
    done = run_example(str(package / "main.py"), inputs={"tolerance": 200})

    assert "'Amount differs'" not in outputs(done.stderr)["by_kind"]


def test_other_folder_is_read_in_place_of_the_sample(package, run_example, tmp_path: Path) -> None:
    folder = tmp_path / "month"
    shutil.copytree(package / "data", folder)
    for file in (folder / "invoices").glob("RE-*.pdf"):
        file.unlink()
    (folder / "invoices" / "broken.pdf").write_bytes(b"%PDF-1.4 not really")

    done = run_example(str(package / "main.py"), inputs={"folder": str(folder)})

    assert done.returncode == 0, done.stderr
    assert "'Missing invoice': 12" in outputs(done.stderr)["by_kind"]
    assert "'Unreadable file': 2" in outputs(done.stderr)["by_kind"]


def test_files_of_ones_own_are_read_in_place_of_the_samples(package, run_example, tmp_path: Path) -> None:
    orders = tmp_path / "my-orders.csv"
    shutil.copyfile(package / "data" / "orders.csv", orders)
    invoices = [str(path) for path in sorted((package / "data" / "invoices").glob("RE-*.pdf"))]
    given = {"orders": str(orders), "invoices": invoices}

    done = run_example(str(package / "main.py"), inputs=given)
    other_month = run_example(str(package / "main.py"), inputs={**given, "period": "2025-01"})

    assert done.returncode == 0, done.stderr
    assert outputs(done.stderr)["invoices"] == str(len(invoices))
    assert "my-orders.csv holds no order of 2025-01" in other_month.stderr
