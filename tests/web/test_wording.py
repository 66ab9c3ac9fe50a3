"""How values read."""

from datetime import UTC, datetime, timedelta

import pytest

from controlroom.runs.states import State
from controlroom.web.wording import STATE_FACES, browser_name, duration, exact, relative, short_id, size

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "now"),
        (5, "5 s ago"),
        (61, "1 min ago"),
        (7200, "2 h ago"),
        (5 * 86_400, "5 d ago"),
        (-90, "in 1 min"),
    ],
)
def test_relative_times(seconds: float, told: str) -> None:
    assert relative(NOW - timedelta(seconds=seconds), NOW) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.42, "0.4 s"),
        (12, "12 s"),
        (72, "1 m 12 s"),
        (7500, "2 h 5 m"),
        (3 * 86_400 + 4 * 3600, "3 d 4 h"),
        (-1, "0.0 s"),
    ],
)
def test_durations(seconds: float, told: str) -> None:
    assert duration(seconds) == told


@pytest.mark.parametrize(
    ("count", "told"),
    [(812, "812 B"), (4200, "4.2 KB"), (31_000_000, "31 MB"), (2_000_000_000_000, "2.0 TB")],
)
def test_sizes(count: int, told: str) -> None:
    assert size(count) == told


def test_exact_times_name_their_zone() -> None:
    assert exact(NOW) == "2026-01-31 12:00:00 UTC"


def test_short_ids_keep_what_tells_them_apart() -> None:
    assert short_id("run_01jdq3v0t8k2w9c5m7x4n6p1ha") == "run_n6p1ha"


def test_every_state_has_a_word_an_icon_and_a_tone() -> None:
    assert STATE_FACES.keys() == set(State)
    assert len({face.word for face in STATE_FACES.values()}) == len(State)
    assert len({face.icon for face in STATE_FACES.values()}) == len(State)


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 15.0; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on macOS"),
        ("python-httpx/0.28", "python-httpx/0.28"),
        ("", "unknown"),
    ],
)  # fmt: skip
def test_browsers_are_told_by_name(agent: str, told: str) -> None:
    assert browser_name(agent) == told
