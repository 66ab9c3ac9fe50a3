"""Rounds of work that keep their distance."""

import asyncio

from controlroom.foundation.pace import Pace


async def test_the_first_round_begins_at_once_and_the_next_waits() -> None:
    pace = Pace(3600)
    await asyncio.wait_for(pace.wait(), 5)
    second = asyncio.ensure_future(pace.wait())
    done, _ = await asyncio.wait({second}, timeout=0.05)
    assert not done
    second.cancel()


async def test_what_comes_after_a_quiet_time_does_not_wait() -> None:
    pace = Pace(0)
    for _ in range(3):
        await asyncio.wait_for(pace.wait(), 5)
