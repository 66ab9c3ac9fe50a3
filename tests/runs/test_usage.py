"""Use over time as the Control Room keeps it: little, whatever comes, and as true as its resolution."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.protocol.messages import MOST_SAMPLES, Ended, Outcome, Started, Usage, UsageSample
from controlroom.runs.schemas import RetryIn
from controlroom.runs.usage import samples_in, with_sample
from runs.conftest import CALLER, Room

EMPTY = b"\x90"
START = 1_700_000_000.0
MEGABYTE = 1024 * 1024


def kept(samples: list[UsageSample]) -> bytes:
    data = EMPTY
    for sample in samples:
        data = with_sample(data, sample)
    return data


@given(st.lists(st.tuples(st.floats(0, 64), st.integers(0, 2**40)), min_size=1, max_size=700))
def test_however_many_come_few_are_kept_and_they_add_up(uses: list[tuple[float, int]]) -> None:
    data = kept([UsageSample(START + 2 * (at + 1), 2, *use) for at, use in enumerate(uses)])

    found = samples_in(data)
    assert len(found) <= MOST_SAMPLES
    assert len(data) <= MOST_SAMPLES * 24
    assert sum(sample.seconds for sample in found) == 2 * len(uses)
    assert [sample.time for sample in found] == sorted(sample.time for sample in found)
    assert found[-1].time.timestamp() == START + 2 * len(uses)
    assert max(sample.memory_bytes for sample in found) == pytest.approx(
        max(memory for _, memory in uses), abs=1024
    )
    spent = sum(sample.processors * sample.seconds for sample in found)
    assert spent == pytest.approx(2 * sum(share for share, _ in uses), abs=0.01 * len(uses))


@given(st.builds(UsageSample, st.floats(), st.floats(), st.floats(), st.integers(-(2**70), 2**70)))
def test_odd_values_never_hold_up_the_reports(sample: UsageSample) -> None:
    (found,) = samples_in(kept([sample]))

    assert found.seconds >= 0
    assert found.processors >= 0
    assert math.isfinite(found.time.timestamp())


async def test_samples_are_kept_and_given_until_the_end_and_not_after(room: Room) -> None:
    await room.device()
    attempt = await room.start(retry=RetryIn(on="never"))
    await room.report(
        attempt,
        UsageSample(START, 2, 0.5, 10 * MEGABYTE),
        UsageSample(START + 2, 2, 1.75, 30 * MEGABYTE),
        Ended(START + 3, Outcome.SUCCEEDED, 0, usage=Usage(4, 90 * MEGABYTE, 3)),
        UsageSample(START + 4, 2, 9, 900 * MEGABYTE),
    )

    usage = await room.runs.usage(CALLER, attempt.id)

    assert [(each.processors, each.memory_bytes) for each in usage.samples] == [
        (0.5, 10 * MEGABYTE),
        (1.75, 30 * MEGABYTE),
    ]
    assert (usage.peak_processors, usage.peak_memory_bytes) == (1.75, 90 * MEGABYTE)
    assert await room.history(attempt.run_id) == ["queued", "assigned", "running", "succeeded"]


async def test_a_run_has_the_samples_of_all_its_attempts(room: Room) -> None:
    await room.device()
    first = await room.start(retry=RetryIn(on="failure", count=1, backoff_seconds=0))
    await room.report(
        first, UsageSample(START, 2, 1, MEGABYTE), Ended(START, Outcome.FAILED, 1, usage=Usage())
    )
    room.clock.advance(5)
    await room.dispatcher.assign_all()
    second = await room.attempt_of(first.run_id)
    await room.report(second, Started(START + 5, warm=True, environment="e", pid=2))
    await room.report(second, UsageSample(START + 8, 2, 2, MEGABYTE))

    found = await room.runs.usage_samples(CALLER, first.run_id)

    assert second.id != first.id
    assert [sample.processors for sample in found] == [1, 2]


async def test_an_attempt_without_samples_has_only_its_peak(room: Room) -> None:
    await room.device()
    attempt = await room.start()

    usage = await room.runs.usage(CALLER, attempt.id)

    assert (usage.samples, usage.peak_processors, usage.peak_memory_bytes) == ([], 0, 0)
