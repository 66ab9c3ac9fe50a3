"""Asks many questions at a bounded pace: so many a second, so many at once, each within its limits."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from controlroom.network.checks.questions import Question
from controlroom.network.probes import Limits, Outcome, run_probe


@dataclass(frozen=True, slots=True)
class Pace:
    """How many probes begin in a second, and how many are under way at once."""

    a_second: float = 200.0
    at_once: int = 64


async def run_questions(
    questions: Sequence[Question],
    limits: Limits,
    pace: Pace,
    told: Callable[[Question, Outcome], None] = lambda *_: None,
) -> list[Outcome]:
    """Return the outcome of each question, in order. Questions that one probe answers share it.

    ``told`` is called in the order in which outcomes come.
    """
    shared: dict[tuple[str, str, int], list[int]] = {}
    for number, question in enumerate(questions):
        shared.setdefault(question.key, []).append(number)
    outcomes: dict[int, Outcome] = {}
    loop = asyncio.get_running_loop()
    waiting = iter(shared.values())
    starts = _starts(loop.time(), pace)

    async def work() -> None:
        for numbers in waiting:
            await asyncio.sleep(max(0.0, next(starts) - loop.time()))
            question = questions[numbers[0]]
            outcome = await run_probe(question.probe, question.target, limits)
            for number in numbers:
                outcomes[number] = outcome
                told(questions[number], outcome)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(pace.at_once, len(shared))):
            group.create_task(work())
    return [outcomes[number] for number in range(len(questions))]


def _starts(begin: float, pace: Pace) -> Iterator[float]:
    number = 0
    while True:
        yield begin + number / pace.a_second
        number += 1
