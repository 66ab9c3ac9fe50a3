"""The real servers, started once for all tests of probes."""

import os
from collections.abc import Iterator

import pytest

from .data_centre import DataCentre, data_centre


@pytest.fixture(scope="session")
def servers() -> Iterator[DataCentre]:
    if os.geteuid() != 0:
        message = "the private servers of the probes need root: run the tests with sudo"
        if os.environ.get("CONTROLROOM_TEST_SERVERS") == "required":
            pytest.fail(message)
        pytest.skip(message)
    with data_centre() as running:
        yield running
