"""Turns are given out so that all fetches together stay within the share, whatever they cost and however many pages are open."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.web.live.budget import SHARE, LiveBudget, Metered


class Steered:
    """Seconds that move only when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def after_measuring(
    answer: float, rendering: float, *, pages: int, renderings: int, now: Steered
) -> LiveBudget:
    budget = LiveBudget(now)
    for number in range(300):
        budget.answered(answer)
        budget.rendered(number % renderings, rendering)
    for _ in range(pages):
        budget.open_page().__enter__()
    return budget


@given(
    answer=st.floats(0.000_1, 0.05),
    rendering=st.floats(0.001, 0.2),
    pages=st.integers(1, 2_000),
    renderings=st.integers(1, 300),
)
def test_what_a_round_of_turns_costs_fits_into_its_share_of_the_time_it_takes(
    answer: float, rendering: float, pages: int, renderings: int
) -> None:
    budget = after_measuring(answer, rendering, pages=pages, renderings=renderings, now=(now := Steered()))
    turns = [budget.turn() for _ in range(pages)]
    assert turns == sorted(turns)
    computed = pages * answer + min(renderings, pages) * rendering
    assert computed <= (budget.reserved_until - now.seconds) * SHARE * 1.01


def test_a_few_pages_hardly_wait() -> None:
    budget = after_measuring(0.001, 0.02, pages=3, renderings=2, now=Steered())
    assert max(budget.turn() for _ in range(3)) < 0.2


def test_turns_that_nobody_took_are_not_saved_up() -> None:
    budget = after_measuring(0.001, 0.02, pages=2, renderings=2, now=(now := Steered()))
    budget.turn()
    now.seconds += 1_000
    assert budget.turn() == 0
    assert budget.turn() > 0


def test_what_was_rendered_long_ago_counts_no_more() -> None:
    budget = after_measuring(0.001, 0.02, pages=100, renderings=100, now=(now := Steered()))
    busy = budget.page_seconds
    now.seconds += 3_600
    assert budget.page_seconds < busy / 5


def test_a_page_that_is_closed_counts_no_more_even_after_an_error() -> None:
    budget = LiveBudget()
    with pytest.raises(RuntimeError), budget.open_page():
        assert budget.pages == 1
        raise RuntimeError
    assert budget.pages == 0


async def test_metering_counts_what_is_computed_and_not_what_is_waited_for() -> None:
    async def work() -> str:
        until = time.thread_time() + 0.03
        while time.thread_time() < until:
            pass
        await asyncio.sleep(0.2)
        return "done"

    metered = Metered(work())
    assert await metered == "done"
    assert 0.03 <= metered.seconds < 0.15


async def test_metering_passes_errors_and_cancellation_on() -> None:
    entered, left = asyncio.Event(), []

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def is_cancelled() -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.append(True)

    with pytest.raises(ValueError, match="no"):
        await Metered(fails())

    async def run() -> None:
        await Metered(is_cancelled())

    task = asyncio.create_task(run())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left == [True]


async def test_metering_gives_the_error_of_what_is_waited_for_to_who_waits() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def waits() -> str:
        try:
            await future
        except KeyError:
            return "caught"
        return "not"

    asyncio.get_running_loop().call_soon(future.set_exception, KeyError())
    assert await Metered(waits()) == "caught"
