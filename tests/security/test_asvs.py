"""The table of the security standard names tests that exist, and says of every row whether it is met."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "security" / "asvs.md"
_ROW = re.compile(r"^\| (\d+\.\d+\.\d+[^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_test_that_is_named_exists() -> None:
    named = _TEST.findall(TABLE.read_text("utf-8"))
    assert len(named) > 60
    missing = [f"{file}::{name}" for file, name in named if name not in _functions(ROOT / file)]
    assert not missing


def test_every_row_says_whether_it_is_met_and_how() -> None:
    rows = _ROW.findall(TABLE.read_text("utf-8"))
    assert len(rows) > 80
    for row, asks, met, how, shown in rows:
        assert met.strip() in ("yes", "partly", "no"), row
        assert all(cell.strip() for cell in (asks, how, shown)), row


def _functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
