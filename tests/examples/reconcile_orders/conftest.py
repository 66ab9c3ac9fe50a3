"""Puts the example's own package on the path."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "examples" / "reconcile-orders"


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make ``reconcile`` importable, and forget it afterwards."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield FOLDER
    for name in [name for name in sys.modules if name.partition(".")[0] == "reconcile"]:
        del sys.modules[name]
