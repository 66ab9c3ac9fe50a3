"""Fixtures of the attempts' tests: services on a folder that the whole session shares, so that one build serves all."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controlroom.runner.execution import ExecutionServices
from runner.execution.harness import Lab


@pytest.fixture(scope="session")
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runner-state")


@pytest.fixture
async def services(state_folder: Path) -> AsyncIterator[ExecutionServices]:
    async with ExecutionServices.open(state_folder, environment_limit_mb=1000, warm=True) as opened:
        yield opened


@pytest.fixture
def lab(services: ExecutionServices, tmp_path: Path) -> Lab:
    return Lab(services, tmp_path)
