"""Programs that tests of the network need, as they are installed on the machine."""

import os
import shutil

import pytest


def required(program: str, package: str) -> str:
    """Return a program's path; skip with the line that installs it, or fail where servers are required."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found:
        return found
    message = f"{program} is not installed: apt-get install -y {package}"
    if os.environ.get("CONTROLROOM_TEST_SERVERS") == "required":
        pytest.fail(message)
    pytest.skip(message)
