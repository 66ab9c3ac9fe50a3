"""Use over time: what is measured becomes few samples, of any process tree, started warm or cold."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.protocol.messages import MOST_SAMPLES, UsageSample
from controlroom.protocol.plan import Launch
from controlroom.runner.execution.sampling import FIRST_SECONDS, UsageSampler
from controlroom.runner.platform.contract import TreeUse
from runner.execution.harness import SCRIPT, Lab, cold

MEGABYTE = 1024 * 1024
A_YEAR = 365 * 86_400

BUSY = """
    import subprocess, sys, time
    grown = bytearray(60 * 1024 * 1024)
    until = time.monotonic() + 3
    child = subprocess.Popen([sys.executable, "-c", "import time; until = time.monotonic() + 2\\nwhile time.monotonic() < until: pass"])
    while time.monotonic() < until:
        sum(range(1000))
    child.wait()
"""


@pytest.mark.parametrize("launch", [SCRIPT, cold()], ids=["warm", "cold"])
async def test_a_busy_bot_and_its_child_are_seen_while_they_run(lab: Lab, launch: Launch) -> None:
    begun = time.time()

    trial = await lab.run(BUSY, launch=launch)

    samples = trial.sink.all(UsageSample)
    assert trial.sink.started.warm is launch.warm
    assert samples
    assert samples[0].memory_bytes > 60 * MEGABYTE
    assert samples[0].processors > 0
    spent = sum(sample.processors * sample.seconds for sample in samples)
    assert 0 < spent <= trial.sink.ended.usage.cpu_seconds + 0.1
    assert all(begun < sample.time <= time.time() for sample in samples)


async def test_a_bot_that_is_over_at_once_gives_no_samples(lab: Lab) -> None:
    assert (await lab.run("print(1)")).sink.all(UsageSample) == []


def test_a_sample_holds_the_mean_of_the_processors_and_the_peak_of_the_memory() -> None:
    sampler = UsageSampler()
    sampler.begin(100)

    assert sampler.take(TreeUse(9 * MEGABYTE, 2, 0.5), 101) is None
    sample = sampler.take(TreeUse(4 * MEGABYTE, 1, 3.0), 102)

    assert sample == UsageSample(102, 2, 1.5, 9 * MEGABYTE)


def test_processor_time_that_went_with_a_child_does_not_count_below_nothing() -> None:
    sampler = UsageSampler()
    sampler.begin(0)
    sampler.take(TreeUse(1, 2, 5.0), 2)

    sample = sampler.take(TreeUse(1, 1, 1.0), 4)
    after = sampler.take(TreeUse(1, 1, 2.0), 6)

    assert sample is not None
    assert after is not None
    assert (sample.processors, after.processors) == (0, 0.5)


def test_each_process_counts_from_nothing() -> None:
    sampler = UsageSampler()
    sampler.begin(0)
    sampler.take(TreeUse(1, 1, 50.0), 2)
    sampler.begin(10)

    sample = sampler.take(TreeUse(1, 1, 1.0), 12)

    assert sample == UsageSample(12, 2, 0.5, 1)


def test_a_tree_that_is_gone_gives_nothing() -> None:
    sampler = UsageSampler()
    sampler.begin(0)

    assert sampler.take(TreeUse(), 100) is None


@given(st.floats(min_value=FIRST_SECONDS, max_value=60))
def test_a_bot_that_runs_for_a_year_sends_few(step: float) -> None:
    sampler, now, sent = UsageSampler(), 0.0, 0
    sampler.begin(now)
    while now < A_YEAR:
        now += max(step, sampler.seconds)
        sent += sampler.take(TreeUse(1, 1, now), now) is not None

    assert MOST_SAMPLES < sent < 2_000


def test_a_clock_that_is_set_back_only_makes_a_sample_longer() -> None:
    sampler = UsageSampler()
    sampler.begin(1_000)

    assert sampler.take(TreeUse(1, 1, 1.0), 500) is None
    assert sampler.take(TreeUse(1, 1, 2.0), 1_002) == UsageSample(1_002, 2, 1.0, 1)
