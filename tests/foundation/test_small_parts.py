"""Ids, clock, bus, cache and telemetry."""

import json
import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from conftest import SteeredClock
from controlroom.foundation import ids
from controlroom.foundation.bus.memory import MemoryBus
from controlroom.foundation.cache.memory import MemoryCache
from controlroom.foundation.clock import SystemClock
from controlroom.foundation.telemetry import configure_logging, logger


def test_ids_sort_by_the_moment_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for milliseconds in (0, 1, 31, 32, 1_700_000_000_000, 2**48 - 1):
        monkeypatch.setattr("time.time_ns", lambda now=milliseconds: now * 1_000_000)
        made.append(ids.new_id("run"))
    assert made == sorted(made)
    assert all(ids.is_id(each, "run") and len(each) <= ids.ID_LENGTH for each in made)


def test_ids_do_not_repeat() -> None:
    assert len({ids.new_id("run") for _ in range(10_000)}) == 10_000


@given(st.text(max_size=40))
def test_what_has_not_the_form_is_no_id(text: str) -> None:
    body = ids.new_id("run").removeprefix("run_")
    assert not ids.is_id(text, "run") or len(text) == 30
    assert not ids.is_id(f"run_{body}\n", "run")
    assert not ids.is_id(f"bot_{body}", "run")
    assert not ids.is_id(f"run_{body[:-1]}u", "run")  # Crockford's alphabet has no u


def test_secrets_carry_their_prefix_and_256_bits() -> None:
    assert ids.new_secret("crk").startswith("crk_")
    assert len(ids.new_secret("crk")) == 4 + 43


def test_the_clock_is_aware() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


async def test_wakes_are_folded_and_reach_only_who_listens() -> None:
    bus = MemoryBus()
    async with bus.subscribe("dispatch", "log:*") as one, bus.subscribe("other") as two:
        await bus.wake(["dispatch", "log:a", "logs"])
        await bus.wake(["dispatch", "log:b"])
        assert await one.wait(1) == {"dispatch", "log:a", "log:b"}
        assert await one.wait(0) == frozenset()
        assert await two.wait(0) == frozenset()
    await bus.wake(["dispatch"])
    assert await one.wait(0) == frozenset()


async def test_the_cache_forgets_in_time_and_is_bounded(clock: SteeredClock) -> None:
    cache = MemoryCache(clock, limit=2)
    await cache.set("a", b"1", 10)
    clock.advance(9)
    assert await cache.get("a") == b"1"
    clock.advance(1)
    assert await cache.get("a") is None
    for name in ("a", "b", "c"):
        await cache.set(name, b"x", 10)
    assert [await cache.get(name) for name in ("a", "b", "c")] == [None, b"x", b"x"]
    await cache.delete("c")
    assert await cache.get("c") is None


async def test_a_counter_lives_from_its_first_increment(clock: SteeredClock) -> None:
    cache = MemoryCache(clock)
    assert [await cache.increment("n", 10) for _ in range(3)] == [1, 2, 3]
    clock.advance(9)
    assert await cache.increment("n", 10) == 4
    clock.advance(1)
    assert await cache.increment("n", 10) == 1


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.usefixtures("_logging_as_before")
def test_secrets_do_not_reach_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    logger("test").info(
        "run.assigned", run_id="run_1", password="hidden", join_token="hidden", api_key="hidden"
    )
    logging.getLogger("library").warning("said", extra={"authorization": "hidden"})
    logger("test").debug("too.quiet")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["run.assigned", "said"]
    assert (lines[0]["run_id"], lines[0]["password"], lines[0]["level"]) == ("run_1", "***", "info")
    assert "hidden" not in json.dumps(lines)
