"""The Control Room that an agent under test talks to."""

from collections.abc import AsyncIterator

import pytest

from runner.agent.scene import PACKAGE
from runner.link.control_room import ControlRoom, make_plan, serve


@pytest.fixture
async def room() -> AsyncIterator[ControlRoom]:
    served = ControlRoom()
    plan = make_plan("any", PACKAGE)
    served.packages[plan.package_sha256] = PACKAGE
    async with serve(served):
        yield served
