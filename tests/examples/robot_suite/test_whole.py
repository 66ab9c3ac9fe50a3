"""The suite as a whole, on the files that ship with it, and its checks on values."""

import csv
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from robot.api import ExecutionResult

FOLDER = Path(__file__).parents[3] / "examples" / "robot-suite"
SUITE = str(FOLDER / "customers.robot")


def load_checks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("record_checks", FOLDER / "library" / "record_checks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHECKS = load_checks()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as source:
        return list(csv.DictReader(source))


def test_each_record_is_a_test_and_the_faulty_ones_are_kept_aside(run_example, tmp_path: Path) -> None:
    done = run_example("-m", "robot", "--outputdir", "output", SUITE)

    assert done.returncode == 0, done.stdout
    statistics = ExecutionResult(tmp_path / "output" / "output.xml").statistics.total
    assert (statistics.passed, statistics.failed, statistics.skipped) == (37, 0, 12)
    accepted, rejected = (
        rows(tmp_path / "output" / "accepted.csv"),
        rows(tmp_path / "output" / "rejected.csv"),
    )
    assert (len(accepted), len(rejected)) == (36, 12)
    problems = {row["customer"]: row["problems"] for row in rejected}
    assert problems["C-203"] == "postal code: '2801-GH' is no postal code of NL."
    assert "check digits" in problems["C-104"]
    assert "belongs to C-314 of vienna" in problems["C-303"]
    assert "output  rejected = 12" in done.stderr
    assert (tmp_path / "output" / "report.html").is_file()


def test_strict_counts_faulty_records_as_failed_tests(run_example) -> None:
    done = run_example("-m", "robot", "--outputdir", "output", SUITE, inputs={"strict": True})

    assert done.returncode == 12


def test_file_with_other_columns_fails_the_run(run_example, tmp_path: Path) -> None:
    (tmp_path / "graz.csv").write_text("customer,name\nC-1,One\n", encoding="utf-8")

    done = run_example("-m", "robot", "--outputdir", "output", SUITE, inputs={"folder": str(tmp_path)})

    assert done.returncode == 1
    assert "graz.csv lacks street, postal code" in re.sub(r"\s+", " ", done.stdout)


def test_empty_folder_fails_the_run(run_example, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    done = run_example(
        "-m", "robot", "--outputdir", "output", SUITE, inputs={"folder": str(tmp_path / "empty")}
    )

    assert done.returncode == 1
    assert "There is no CSV file in the folder" in done.stdout


@given(st.integers(0, 10**18 - 1), st.integers(0, 21), st.integers(1, 9))
def test_any_wrong_digit_of_an_account_number_is_found(account: int, place: int, shift: int) -> None:
    body = f"{account:018d}"
    check = 98 - int(f"{body}131400") % 97
    iban = f"DE{check:02d}{body}"
    assert CHECKS.iban_problem(iban) == ""

    digit = 2 + place % 20
    wrong = f"{iban[:digit]}{(int(iban[digit]) + shift) % 10}{iban[digit + 1 :]}"
    assert "check digits" in CHECKS.iban_problem(wrong)


@pytest.mark.parametrize(
    ("iban", "expected"),
    [
        ("", "no IBAN"),
        ("GB82WEST12345698765432", "no IBAN of a country that we know"),
        ("DE8937040044053201300", "has 21 characters; one of DE has 22"),
        ("NL91 ABNA 0417 1643 00", ""),
    ],
)
def test_account_numbers(iban: str, expected: str) -> None:
    problem = CHECKS.iban_problem(iban)
    assert expected in problem if expected else problem == ""


@pytest.mark.parametrize(
    ("code", "country", "sound"),
    [
        ("01067", "DE", True),
        ("1067", "DE", False),
        ("1016 EK", "NL", True),
        ("1016EK", "NL", False),
        ("0100", "AT", False),
    ],
)
def test_postal_codes(code: str, country: str, sound: bool) -> None:
    assert (CHECKS.postal_code_problem(code, country) == "") is sound
