"""Runs an example as its author would: with this Python, outside any runner, in a folder of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
_LIMIT_SECONDS = 90

RunExample = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def examples() -> Path:
    """The folder of the examples."""
    return EXAMPLES


@pytest.fixture
def run_example(tmp_path: Path) -> RunExample:
    """Run ``python COMMAND...`` with inputs; files land in ``tmp_path``."""

    def run(
        *command: str, inputs: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "inputs.json"
        file.write_text(json.dumps(inputs or {}), encoding="utf-8")
        variables = os.environ | {"CONTROLROOM_INPUTS": str(file)} | (environment or {})
        return subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=variables,
            text=True,
            capture_output=True,
            timeout=_LIMIT_SECONDS,
            check=False,
        )

    return run
