"""The journal keeps an unbroken sequence of numbers within its limit, whatever happens to its files."""

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.protocol.messages import Log, Output, Progress, Report, ReportBody, Started
from controlroom.protocol.records import Level, LogRecord, Stream
from controlroom.protocol.wire import encode
from controlroom.runner.spool.frames import Frame, Kind
from controlroom.runner.spool.journal import Journal

LARGE = 1 << 30
SMALL = 64 * 1024


def frame(number: int, kind: Kind, size: int = 100, *, lines: int = 0, name: str = "") -> Frame:
    if kind is Kind.OUTPUT:
        body: ReportBody = Output(name, "v" * size)
    elif kind is Kind.PROGRESS:
        body = Progress(0.5, "p" * size)
    elif kind is Kind.LOG:
        body = Log((LogRecord(0, Stream.STDOUT, Level.INFO, "l" * size),))
    else:
        body = Started(0, True, "e" * size, 1)
    return Frame(number, kind, encode(Report("att", "token", number, body)), lines)


def everything(journal: Journal, start: int = 1, limit: int = 4096) -> list[Frame]:
    found: list[Frame] = []
    while batch := journal.read(start, limit):
        found.extend(batch)
        start = batch[-1].last + 1
    return found


def numbers(frames: list[Frame]) -> list[int]:
    return [number for each in frames for number in range(each.number, each.last + 1)]


def filled(folder: Path, count: int, *, limit: int = LARGE, size: int = 100) -> Journal:
    journal = Journal(folder, limit_bytes=limit)
    for number in range(1, count + 1):
        kind = Kind.LOG if number % 10 else Kind.STATE
        is_log = kind is Kind.LOG
        journal.append(frame(number, kind, size if is_log else 100, lines=3 if is_log else 0), sync=False)
    return journal


def test_what_was_written_is_read_back_in_order(tmp_path: Path) -> None:
    written = filled(tmp_path, 200)
    expected = [frame(n, Kind.LOG if n % 10 else Kind.STATE, lines=3 if n % 10 else 0) for n in range(1, 201)]

    assert everything(written) == expected
    written.close()
    assert everything(Journal(tmp_path, limit_bytes=LARGE)) == expected


def test_reading_begins_anywhere_and_returns_at_least_one_frame(tmp_path: Path) -> None:
    journal = filled(tmp_path, 50)

    assert [each.number for each in journal.read(37, 1)] == [37]
    assert journal.read(51, 1) == []


@settings(max_examples=40, deadline=None)
@given(
    cut=st.floats(0, 1),
    flips=st.lists(st.floats(0, 1), max_size=4),
    count=st.integers(1, 120),
)
def test_torn_and_damaged_files_leave_an_unbroken_beginning(
    tmp_path_factory: pytest.TempPathFactory, cut: float, flips: list[float], count: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    filled(folder, count, limit=SMALL, size=800).close()
    newest = max(folder.glob("*.spool"))
    os.truncate(newest, int(newest.stat().st_size * cut))
    files = sorted(folder.glob("*.spool"))
    for flip in flips:
        path = files[int(flip * (len(files) - 1))]
        content = bytearray(path.read_bytes())
        if content:
            content[int(flip * (len(content) - 1))] ^= 0x55
            path.write_bytes(content)

    mended = Journal(folder, limit_bytes=SMALL)

    found = numbers(everything(mended))
    first = found[0] if found else mended.first
    assert found == list(range(first, mended.last + 1))
    mended.append(frame(mended.last + 1, Kind.ENDED), sync=True)
    mended.close()
    reopened = Journal(folder, limit_bytes=SMALL)
    assert reopened.ended
    assert numbers(everything(reopened)) == list(range(first, mended.last + 1))


def test_the_oldest_log_gives_way_and_state_does_not(tmp_path: Path) -> None:
    journal = filled(tmp_path, 2000, limit=SMALL, size=500)

    frames = everything(journal)

    assert journal.size <= SMALL + 16 * 1024
    assert numbers(frames) == list(range(1, 2001))
    assert [each.number for each in frames if each.kind is Kind.STATE] == list(range(10, 2001, 10))
    kept = [each for each in frames if each.kind is Kind.LOG]
    assert kept
    assert kept[0].number > frames[0].number
    gaps = [each for each in frames if each.kind is Kind.GAP]
    assert sum(each.lines for each in gaps) + 3 * len(kept) == 3 * 1800


def test_folding_is_bounded_however_long_it_goes_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path, limit_bytes=SMALL)
    for number in range(1, 6001):
        journal.append(frame(number, Kind.LOG, 300, lines=1), sync=False)

    assert journal.size <= SMALL + 16 * 1024
    assert len(list(tmp_path.iterdir())) < 20
    assert numbers(everything(journal)) == list(range(1, 6001))


def test_only_the_last_progress_and_value_of_an_output_outlive_folding(tmp_path: Path) -> None:
    journal = Journal(tmp_path, limit_bytes=SMALL)
    for number in range(1, 1001):
        if number % 2:
            journal.append(frame(number, Kind.PROGRESS, 300), sync=False)
        else:
            journal.append(frame(number, Kind.OUTPUT, 300, name=f"o{number % 3}"), sync=False)

    frames = everything(journal)

    assert journal.size <= SMALL + 16 * 1024
    assert numbers(frames) == list(range(1, 1001))
    assert frames[-1].number == 1000
    assert {each.kind for each in frames} == {Kind.GAP, Kind.PROGRESS, Kind.OUTPUT}


def test_a_crash_between_joining_two_segments_and_removing_one_is_mended(tmp_path: Path) -> None:
    journal = filled(tmp_path, 400, size=800, limit=SMALL)
    before = everything(journal)
    journal.close()
    first, second, *_ = sorted(tmp_path.glob("*.spool"))
    kept = second.read_bytes()
    first.write_bytes(first.read_bytes() + kept)
    (tmp_path / f"{second.stem}.aside").write_bytes(b"half written")

    assert everything(Journal(tmp_path, limit_bytes=SMALL)) == before
    assert not second.exists()
    assert not list(tmp_path.glob("*.aside"))


def test_a_missing_segment_becomes_a_gap(tmp_path: Path) -> None:
    filled(tmp_path, 200, size=800, limit=256 * 1024).close()
    _, missing, third, *_ = sorted(tmp_path.glob("*.spool"))
    missing.unlink()

    frames = everything(Journal(tmp_path, limit_bytes=LARGE))

    assert numbers(frames) == list(range(1, 201))
    assert [(each.number, each.last) for each in frames if each.kind is Kind.GAP] == [
        (int(missing.stem), int(third.stem) - 1)
    ]


def test_acknowledged_segments_go_and_the_numbering_stays(tmp_path: Path) -> None:
    journal = filled(tmp_path, 300, limit=1 << 20, size=2000)

    journal.drop_through(300)
    journal.close()

    reopened = Journal(tmp_path, limit_bytes=1 << 20)
    assert len(list(tmp_path.glob("*.spool"))) == 1
    assert reopened.last == 300
    assert reopened.first > 1
    assert reopened.read(1, 100)[0] == Frame(1, Kind.GAP, b"", 0, reopened.first - 1)


def test_a_journal_goes_on_behind_a_number_that_is_ahead_of_it(tmp_path: Path) -> None:
    journal = filled(tmp_path, 5)

    journal.skip_to(40)
    journal.close()

    reopened = Journal(tmp_path, limit_bytes=LARGE)
    assert (reopened.first, reopened.last) == (41, 40)
    reopened.append(frame(41, Kind.STATE), sync=True)
    assert numbers(everything(reopened, 41)) == [41]


def test_a_write_that_fails_half_way_leaves_the_journal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from controlroom.runner.spool import journal as module

    journal = filled(tmp_path, 3)
    real = module._write_all

    def half(file: object, data: bytes) -> None:
        real(file, data[: len(data) // 2])  # type: ignore[arg-type]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_write_all", half)
    with pytest.raises(OSError, match="No space"):
        journal.append(frame(4, Kind.STATE), sync=False)
    monkeypatch.undo()

    journal.append(frame(4, Kind.LOG), sync=False)
    journal.close()
    assert numbers(everything(Journal(tmp_path, limit_bytes=LARGE))) == [1, 2, 3, 4]


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_any_mix_of_appends_acknowledgements_and_restarts_keeps_the_sequence(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    chance = random.Random(seed)
    folder = tmp_path_factory.mktemp("journal")
    journal = Journal(folder, limit_bytes=SMALL)
    states: list[int] = []
    acked = 0
    for _ in range(250):
        act = chance.random()
        if act < 0.9:
            number = journal.last + 1
            kind = chance.choice([Kind.LOG] * 8 + [Kind.STATE])
            journal.append(frame(number, kind, chance.randint(1, 4000), lines=1), sync=act < 0.1)
            states += [number] if kind is Kind.STATE else []
        elif act < 0.95:
            acked = chance.randint(acked, journal.last)
            journal.drop_through(acked)
        else:
            journal.close()
            journal = Journal(folder, limit_bytes=SMALL)
        start = chance.randint(1, journal.last + 1)
        batch = journal.read(start, chance.choice([1, 1000, 100_000]))
        assert numbers(batch)[:1] == ([start] if start <= journal.last else [])

    frames = everything(journal, acked + 1)
    assert numbers(frames) == list(range(acked + 1, journal.last + 1))
    kept = [each.number for each in frames if each.kind is Kind.STATE]
    assert kept == [number for number in states if number > acked]
