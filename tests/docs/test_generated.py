"""The generated reference is what the code says."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_reference_pages_are_as_they_would_be_generated() -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CONTROLROOM_")}
    command = [sys.executable, "docs/generate_reference.py", "--check"]
    done = subprocess.run(
        command, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
