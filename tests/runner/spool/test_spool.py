"""The spool numbers reports, hands them out encoded, and says what it had to give up."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from controlroom.protocol.messages import (
    ArtifactStored,
    Ended,
    Log,
    LogGap,
    Outcome,
    Output,
    Preparing,
    Report,
    ReportBody,
    Started,
)
from controlroom.protocol.records import Level, LogRecord, Stream
from controlroom.protocol.wire import MAXIMUM_FRAME_BYTES
from controlroom.runner.spool import Spool
from controlroom.runner.spool.frames import Kind
from controlroom.runner.spool.journal import Journal
from controlroom.runner.spool.reserve import Reserve

MEGABYTE = 1024 * 1024
_decoder = msgspec.msgpack.Decoder(Report)


def lines(count: int, text: str = "line") -> Log:
    return Log(tuple(LogRecord(float(n), Stream.STDOUT, Level.INFO, text) for n in range(count)))


async def opened(folder: Path, limit: int = MEGABYTE) -> Spool:
    return await Spool.open(folder, "att_1", "token", limit_bytes=limit)


async def reports(spool: Spool, start: int = 1) -> list[Report]:
    found: list[Report] = []
    while entries := await spool.read(start, reports=10, limit_bytes=MEGABYTE):
        found.extend(_decoder.decode(entry.payload) for entry in entries)
        start = found[-1].number + 1
    return found


async def bodies(spool: Spool) -> list[ReportBody]:
    return [report.body for report in await reports(spool)]


async def test_reports_are_numbered_and_survive_without_being_closed(tmp_path: Path) -> None:
    said: list[ReportBody] = [
        Preparing("environment"),
        Started(1, True, "env", 7),
        lines(3),
        Output("total", 12),
    ]
    spool = await opened(tmp_path)
    for body in said:
        await spool.append(body)

    again = await opened(tmp_path)

    assert [(report.number, report.body) for report in await reports(again)] == list(enumerate(said, 1))
    assert (again.last, again.ended) == (4, False)


async def test_nothing_is_taken_after_the_end(tmp_path: Path) -> None:
    spool = await opened(tmp_path)
    await spool.append(Ended(1, Outcome.SUCCEEDED, 0))
    await spool.append(lines(1))
    await spool.append(Ended(2, Outcome.FAILED, 1))

    assert await bodies(spool) == [Ended(1, Outcome.SUCCEEDED, 0)]
    assert spool.ended


async def test_artifact_reports_are_known_without_decoding(tmp_path: Path) -> None:
    spool = await opened(tmp_path)
    await spool.append(ArtifactStored("a.txt", "0" * 64, 1, "text/plain"))
    await spool.close()

    entries = await (await opened(tmp_path)).read(1, reports=5, limit_bytes=10)

    assert [entry.kind for entry in entries] == [Kind.ARTIFACT]


async def test_lines_that_gave_way_are_counted_and_no_number_is_missing(tmp_path: Path) -> None:
    spool = await opened(tmp_path, limit=64 * 1024)
    for _ in range(300):
        await spool.append(lines(10, "x" * 100))
    await spool.append(Ended(1, Outcome.SUCCEEDED, 0))
    await spool.close()

    found = await reports(await opened(tmp_path, limit=64 * 1024))

    assert [report.number for report in found] == list(range(1, 302))
    kept = sum(len(report.body.records) for report in found if isinstance(report.body, Log))
    lost = sum(report.body.lines for report in found if isinstance(report.body, LogGap))
    assert kept > 0
    assert lost > 0
    assert kept + lost == 3000


@pytest.mark.parametrize("is_disk_full", [False, True])
async def test_lines_that_gave_way_leave_their_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_disk_full: bool
) -> None:
    spool = await opened(tmp_path, limit=64 * 1024)
    if is_disk_full:
        await _fill_disk(spool, monkeypatch)
    for second in range(300):
        records = (LogRecord(float(second * 10 + n), Stream.STDOUT, Level.INFO, "x" * 100) for n in range(10))
        await spool.append(Log(tuple(records)))
    monkeypatch.undo()
    await spool.append(Ended(1, Outcome.SUCCEEDED, 0))
    await spool.close()

    found = await reports(await opened(tmp_path, limit=64 * 1024))

    kept = [
        record.time
        for report in found
        if isinstance(report.body, Log)
        for record in report.body.records
        if record.stream is Stream.STDOUT
    ]
    gone = sorted(set(map(float, range(3000))) - set(kept))
    gaps = [report.body for report in found if isinstance(report.body, LogGap) and report.body.lines]
    assert gone
    assert min(gap.first_time for gap in gaps if gap.first_time is not None) == gone[0]
    assert max(gap.last_time for gap in gaps if gap.last_time is not None) == gone[-1]
    for gap in gaps:
        assert gap.first_time is not None
        assert gap.last_time is not None
        assert sum(gap.first_time <= time <= gap.last_time for time in gone) == gap.lines


async def _fill_disk(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Journal, _frame: object, *, sync: bool) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "append", refuse)
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: SimpleNamespace(free=0))


async def test_a_report_that_is_too_large_to_send_is_replaced_by_a_word_about_it(tmp_path: Path) -> None:
    spool = await opened(tmp_path)
    await spool.append(Output("report", "x" * MAXIMUM_FRAME_BYTES))

    (body,) = await bodies(spool)

    assert isinstance(body, Log)
    assert "'report'" in body.records[0].text
    assert body.records[0].level is Level.ERROR


async def test_on_a_full_disk_lines_give_way_and_the_end_waits_for_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = await opened(tmp_path)
    await spool.append(Started(1, True, "env", 7))
    full, refused = asyncio.Event(), asyncio.Event()
    full.set()
    real, loop = Journal.append, asyncio.get_running_loop()

    def append(self: Journal, frame: object, *, sync: bool) -> None:
        if full.is_set():
            loop.call_soon_threadsafe(refused.set)
            raise OSError(28, "No space left on device")
        real(self, frame, sync=sync)  # type: ignore[arg-type]

    monkeypatch.setattr(Journal, "append", append)
    monkeypatch.setattr("controlroom.runner.spool.spool._DISK_RETRY_SECONDS", 0.01)
    await spool.append(lines(5))
    await spool.append(lines(6))
    refused.clear()
    ending = asyncio.create_task(spool.append(Ended(2, Outcome.SUCCEEDED, 0)))
    await asyncio.wait_for(refused.wait(), 5)
    assert not ending.done()
    full.clear()
    await asyncio.wait_for(ending, 5)

    said = await bodies(spool)
    assert said[0] == Started(1, True, "env", 7)
    assert said[-1] == Ended(2, Outcome.SUCCEEDED, 0)
    assert sum(body.lines for body in said if isinstance(body, LogGap)) == 11


async def test_what_must_be_said_uses_the_reserve_of_a_full_disk_and_lines_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = await opened(tmp_path)
    (reserve,) = tmp_path.rglob("reserve")
    real = Journal.append

    def append(self: Journal, frame: object, *, sync: bool) -> None:
        if reserve.exists():
            raise OSError(28, "No space left on device")
        real(self, frame, sync=sync)  # type: ignore[arg-type]

    monkeypatch.setattr(Journal, "append", append)
    free = 0
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: SimpleNamespace(free=free))
    await spool.append(lines(5))
    await spool.append(lines(6))
    await spool.append(Output("total", 3))
    free = 1 << 30
    monkeypatch.setattr(Journal, "append", real)
    await spool.append(lines(1))
    assert reserve.exists(), "it is held again"
    await spool.append(Ended(2, Outcome.SUCCEEDED, 0))

    said = await bodies(spool)
    assert isinstance(said[0], Log)
    assert "disk takes no more" in said[0].records[0].text
    assert [type(body) for body in said[1:]] == [LogGap, Output, Log, Ended]
    assert sum(body.lines for body in said if isinstance(body, LogGap)) == 11


async def test_an_attempt_without_room_for_its_last_words_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(_self: Reserve) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Reserve, "take", take)
    with pytest.raises(OSError, match="No space"):
        await opened(tmp_path)


async def test_a_caller_that_is_cancelled_does_not_tear_the_sequence(tmp_path: Path) -> None:
    spool = await opened(tmp_path)
    for _ in range(50):
        task = asyncio.create_task(spool.append(lines(100)))
        await asyncio.sleep(0)
        task.cancel()
        await spool.append(lines(1))

    found = await reports(spool)

    assert [report.number for report in found] == list(range(1, spool.last + 1))


@pytest.mark.parametrize("ended", [False, True])
async def test_numbers_ahead_of_the_disk_are_jumped_and_the_end_follows(tmp_path: Path, ended: bool) -> None:
    spool = await opened(tmp_path)
    await spool.append(Started(1, True, "env", 7))
    if ended:
        await spool.append(Ended(2, Outcome.LOST, None, "stopped"))

    await spool.acknowledge(20)

    assert [(report.number, report.body) for report in await reports(spool, 21)] == (
        [(21, Ended(2, Outcome.LOST, None, "stopped"))] if ended else []
    )
    again = await opened(tmp_path)
    assert (again.last, again.ended) == ((21, True) if ended else (20, False))


async def test_memory_for_recent_reports_is_bounded(tmp_path: Path) -> None:
    spool = await opened(tmp_path, limit=16 * MEGABYTE)
    for _ in range(40):
        await spool.append(lines(1000, "x" * 100))

    held = sum(len(entry.payload) for entry in spool._recent.values())

    assert 0 < held <= MEGABYTE
    assert [report.number for report in await reports(spool)] == list(range(1, 41))
