"""The bars of a run's log on its time axis."""

from datetime import UTC, datetime

from controlroom.protocol.records import Level
from controlroom.runs.queries import LogStretch
from controlroom.web.pages.run.axis import BARS, UNITS, _bars, _Scale

BEGUN = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_one_error_does_not_paint_a_whole_log() -> None:
    start = BEGUN.timestamp()
    bars = _bars([LogStretch(start, start + 99, 50, Level.ERROR)], _Scale(BEGUN, 100.0))
    assert len(bars) > BARS // 2
    assert [bar.tone for bar in bars[:-1]] == ["waiting"] * (len(bars) - 1)
    assert bars[-1].tone == "failed"
    assert all(0 <= bar.offset < UNITS for bar in bars)


def test_a_warning_shows_where_it_came() -> None:
    start = BEGUN.timestamp()
    log = [LogStretch(start, start, 5, Level.INFO), LogStretch(start + 50, start + 50, 10, Level.WARNING)]
    first, second = _bars(log, _Scale(BEGUN, 100.0))
    assert (first.tone, second.tone) == ("waiting", "warning")
    assert first.height < second.height
    assert first.lines == 5
