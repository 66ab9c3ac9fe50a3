"""Keywords for the records of customers, and one test for each record.

Robot Framework calls the library as a listener (version 3), which lets it put a test a record in the place of the one
that the suite holds as a template, before any test starts.
"""

import csv
import os
from collections import Counter
from pathlib import Path
from typing import Any

from record_checks import problems_of
from robot.api import Failure, SkipExecution, logger
from robot.api.deco import keyword, library
from robot.libraries.BuiltIn import BuiltIn

from controlroom import bot

COLUMNS = (
    "customer", "name", "street", "postal code", "city", "country", "email", "phone", "iban", "vat id",
)  # fmt: skip
TEMPLATE_TAG = "each-record"
Record = dict[str, str]


@library(scope="SUITE", listener="SELF")
class CustomerRecords:
    """Reads the branches' files and checks them. ``folder`` holds one CSV a branch."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self, folder: str) -> None:
        self._files = sorted(Path(bot.inputs.get("folder") or folder).expanduser().glob("*.csv"))
        self._strict = bool(bot.inputs.get("strict", False))
        self._records = [record for file in self._files for record in _read(file)]
        self._rejected: list[tuple[Record, str]] = []
        self._done = 0

    def start_suite(self, data: Any, result: Any) -> None:
        """Put a test a record in the place of the template."""
        for template in [test for test in data.tests if TEMPLATE_TAG in test.tags]:
            place = data.tests.index(template)
            data.tests.remove(template)
            for offset, record in enumerate(self._records):
                test = template.deepcopy(name=f"{record['customer']} {record['name']}".strip())
                test.doc = f"{record['branch']}.csv, line {record['line']}"
                test.tags.add([record["branch"], record["country"]])
                test.body[0].args = (record["branch"], record["customer"], record["line"])
                data.tests.insert(place + offset, test)

    def end_test(self, data: Any, result: Any) -> None:
        """Say how far the suite is, and log each record that is refused."""
        if TEMPLATE_TAG not in data.tags:
            return
        self._done += 1
        bot.progress(self._done / len(self._records), f"{self._done} of {len(self._records)} records")
        if not result.passed:
            bot.log.warning(f"{data.name}: {result.message}", branch=str(data.body[0].args[0]))

    @keyword
    def branch_names(self) -> list[str]:
        """Return the branches that handed in a file."""
        return [file.stem for file in self._files]

    @keyword
    def branch_should_have_all_columns(self, branch: str) -> None:
        """Fail unless a branch's file has the agreed columns."""
        file = next(file for file in self._files if file.stem == branch)
        with file.open(encoding="utf-8-sig", newline="") as source:
            header = next(csv.reader(source), [])
        absent = [name for name in COLUMNS if name not in header]
        if absent:
            raise Failure(f"{file.name} lacks {', '.join(absent)}.")

    @keyword
    def record_should_be_sound(self, branch: str, customer: str, line: str) -> None:
        """Refuse a record with anything wrong: skipped and kept aside, or failed where the input ``strict`` is set."""
        record = next(one for one in self._records if (one["branch"], one["line"]) == (branch, line))
        problems = problems_of(record) + self._shared_values(record)
        if not problems:
            return
        text = " ".join(problems)
        self._rejected.append((record, text))
        raise (Failure if self._strict else SkipExecution)(text)

    @keyword
    def hand_over_the_result(self) -> None:
        """Write accepted.csv and rejected.csv beside the reports, and set the outputs of the run."""
        folder = Path(str(BuiltIn().get_variable_value("${OUTPUT DIR}", os.curdir)))
        refused = {(record["branch"], record["line"]): text for record, text in self._rejected}
        accepted = [record for record in self._records if (record["branch"], record["line"]) not in refused]
        _write(folder / "accepted.csv", [*COLUMNS, "branch"], accepted)
        rejected = [{**record, "problems": text} for record, text in self._rejected]
        _write(folder / "rejected.csv", ["problems", "branch", "line", *COLUMNS], rejected)
        bot.output("records", len(self._records))
        bot.output("accepted", len(accepted))
        bot.output("rejected", len(rejected))
        bot.output("rejected_by_branch", dict(Counter(record["branch"] for record in rejected)))
        logger.info(f"{len(accepted)} accepted, {len(rejected)} rejected", also_console=True)

    def _shared_values(self, record: Record) -> list[str]:
        """Find values that only one customer may have."""
        found = []
        for field in ("customer", "iban"):
            others = [
                f"{other['customer']} of {other['branch']} (line {other['line']})"
                for other in self._records
                if other is not record and other[field] and other[field] == record[field]
            ]
            if others:
                found.append(f"{field}: '{record[field]}' belongs to {', '.join(others)} too.")
        return found


def _read(file: Path) -> list[Record]:
    with file.open(encoding="utf-8-sig", newline="") as source:
        rows = csv.DictReader(source)
        return [
            {name: (row.get(name) or "").strip() for name in COLUMNS}
            | {"branch": file.stem, "line": str(rows.line_num)}
            for row in rows
        ]


def _write(path: Path, columns: list[str], records: list[Record]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as target:
        rows = csv.DictWriter(target, columns, extrasaction="ignore")
        rows.writeheader()
        rows.writerows(records)
