"""The share of a core that open pages may have for fetching themselves, and whose turn it is.

What a fetch costs is measured as it is answered. From that each page that is told of a change gets a turn of its own, so
that however many pages are open, their fetches together stay within the share, and spread evenly. A few pages get turns
so close together that nobody notices them.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Generator, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

T = TypeVar("T")

SHARE = 0.25
"""Of one core. The rest is for bots, changes and people's own requests."""

LEAST_ROUND_SECONDS = 0.5
"""No page is told more often than this, however few there are."""

_OUTSIDE_SECONDS = 0.000_25
"""What the HTTP server computes for a request before and after the application; measured with uvicorn and httptools."""
_FIRST_ANSWER, _FIRST_RENDERING = 0.001, 0.02
"""What is taken to be true until something was measured, in seconds."""
_LONGEST_NOTED = 0.5
_WEIGHT = 0.05
"""Of the newest measure in the moving average: some twenty answers make it."""
_ACTIVE_SECONDS = 60.0
_MOST_ACTIVE = 5_000


class LiveBudget:
    """Hands out turns; of one node, in one event loop."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._answer = _FIRST_ANSWER
        self._rendering = _FIRST_RENDERING
        self._rendered: OrderedDict[Hashable, float] = OrderedDict()
        self._reserved_until = 0.0
        self._pages = 0

    @property
    def pages(self) -> int:
        """How many pages are open here and told together."""
        return self._pages

    @property
    def reserved_until(self) -> float:
        """When the last turn that was given out is over, by the monotonic clock."""
        return self._reserved_until

    @property
    def page_seconds(self) -> float:
        """What one page's turn costs in seconds of a core, its part of the renderings that many share within it."""
        self._forget_idle()
        shared_by = max(self._pages, len(self._rendered), 1)
        return self._answer + self._rendering * len(self._rendered) / shared_by

    @contextmanager
    def open_page(self) -> Iterator[None]:
        """Count a page for the length of the block."""
        self._pages += 1
        try:
            yield
        finally:
            self._pages -= 1

    def turn(self) -> float:
        """Give out the next turn: in how many seconds a page that is told now may fetch itself."""
        now = self._now()
        begins = max(now, self._reserved_until)
        self._reserved_until = begins + self.page_seconds / SHARE
        return begins - now

    def answered(self, seconds: float) -> None:
        """Take note of what an answer cost that needed no rendering."""
        self._answer += (min(seconds + _OUTSIDE_SECONDS, _LONGEST_NOTED) - self._answer) * _WEIGHT

    def rendered(self, what: Hashable, seconds: float) -> None:
        """Take note of what rendering something cost, for however many pages show it."""
        self._rendering += (min(seconds, _LONGEST_NOTED) - self._rendering) * _WEIGHT
        self._rendered[what] = self._now()
        self._rendered.move_to_end(what)
        while len(self._rendered) > _MOST_ACTIVE:
            self._rendered.popitem(last=False)

    def _forget_idle(self) -> None:
        long_ago = self._now() - _ACTIVE_SECONDS
        while self._rendered and next(iter(self._rendered.values())) < long_ago:
            self._rendered.popitem(last=False)


class Metered(Generic[T]):
    """Awaits something and counts what this thread computed for it, in ``seconds``; what others do meanwhile is not in it.

    What the threads of a database compute is not in it either: `SHARE` leaves room for that.
    """

    def __init__(self, work: Awaitable[T]) -> None:
        self._work = work
        self.seconds = 0.0

    def __await__(self) -> Generator[Any, Any, T]:
        """Go on step by step, as the event loop does, with the time taken around each."""
        steps = self._work.__await__()
        thrown: BaseException | None = None
        while True:
            begun = time.thread_time()
            try:
                waited = steps.send(None) if thrown is None else _throw(steps, thrown)
            except StopIteration as end:
                result: T = end.value
                return result
            finally:
                self.seconds += time.thread_time() - begun
            thrown = None
            try:
                yield waited
            except (
                BaseException
            ) as error:  # a cancellation, or the error of what was waited for, goes on inwards
                thrown = error


def _throw(steps: Generator[Any, Any, T], error: BaseException) -> Any:
    return steps.throw(error)
