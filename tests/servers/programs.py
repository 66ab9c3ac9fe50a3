"""Finds the programs that private servers need, and says how to get them where they are missing."""

import os
import shutil
from pathlib import Path

import pytest


def required_program(name: str, package: str, *folders: str) -> str:
    """Return a program's path; skip the test with the line that installs it, or fail where servers are required."""
    found = shutil.which(name) or next(
        (str(Path(folder) / name) for folder in folders if (Path(folder) / name).exists()), None
    )
    if found is not None:
        return found
    message = f"{name} is not installed: apt-get install {package}"
    if os.environ.get("CONTROLROOM_TEST_SERVERS") == "required":
        pytest.fail(message)
    pytest.skip(message)
