"""An attempt's log: kept in stretches, read by line, by level and by what it says."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlroom.foundation.database import Database
from controlroom.protocol.records import Level, LogRecord, Stream
from controlroom.runs.log import LogQuery, append_records, log_topic, read_log
from controlroom.runs.models import Attempt, LogChunk
from controlroom.runs.states import State
from controlroom.server.schema import create_tables

TEXTS = ("Order 7 is paid", "order 8 is open", "100% done", "[x] a.b")


def record(number: int, level: Level = Level.INFO) -> LogRecord:
    return LogRecord(1_700_000_000 + number, Stream.STDOUT, level, f"{number} {TEXTS[number % len(TEXTS)]}")


def attempt_of(state: State = State.RUNNING) -> Attempt:
    return Attempt(id="att_1", state=state, log_lines=0)


async def fill(
    database: Database, attempt: Attempt, batches: list[list[LogRecord]], *, late: bool = False
) -> int:
    """Append batches, a transaction each; return how many stretches they are kept in."""
    for batch in batches:
        async with database.write() as transaction:
            await append_records(transaction, attempt, batch, late=late)
    async with database.read() as session:
        return len((await session.scalars(LogChunk.__table__.select())).all())


async def test_small_batches_share_a_stretch_and_large_ones_do_not(database: Database) -> None:
    attempt = attempt_of()
    assert await fill(database, attempt, [[record(number)] for number in range(20)]) == 1
    assert await fill(database, attempt, [[record(number) for number in range(2000)]]) == 2
    assert await fill(database, attempt, [[record(1)], [record(2)], []]) == 3
    assert attempt.log_lines == 2022
    async with database.read() as session:
        read = await read_log(session, attempt, LogQuery(first=2019, limit=10))
    assert [line.line for line in read.lines] == [2019, 2020, 2021]
    assert (read.total_lines, read.next_line, read.complete) == (2022, None, False)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(1, 700), min_size=1, max_size=6),
    limit=st.integers(1, 900),
    level=st.sampled_from(list(Level)),
    search=st.sampled_from(["", "ORDER", "100%", "[x]", "a.b", "nowhere"]),
)
async def test_reading_on_gives_each_wanted_line_once_in_order(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], limit: int, level: Level, search: str
) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('log')}/log.db")
    await create_tables(database)
    attempt = attempt_of(State.SUCCEEDED)
    levels = [Level.DEBUG, Level.INFO, Level.INFO, Level.WARNING, Level.ERROR]
    records = [
        record(number, levels[number % 5] if number > 600 else Level.INFO) for number in range(sum(sizes))
    ]
    batches, start = [], 0
    for size in sizes:
        batches.append(records[start : start + size])
        start += size
    await fill(database, attempt, batches)
    found, line = [], 0
    async with database.read() as session:
        while True:
            part = await read_log(session, attempt, LogQuery(line, limit, level, search))
            assert len(part.lines) <= limit
            found += [(each.line, each.text) for each in part.lines]
            if part.next_line is None:
                break
            assert part.next_line > line
            assert not part.complete
            line = part.next_line
    assert part.complete
    wanted = [
        (number, each.text)
        for number, each in enumerate(records)
        if each.level >= level and search.lower() in each.text.lower()
    ]
    assert found == wanted
    errors = [number for number, each in enumerate(records) if each.level is Level.ERROR]
    assert attempt.first_error_line == (errors[0] if errors else None)
    await database.close()


async def test_late_lines_are_counted_on_their_own(database: Database) -> None:
    attempt = attempt_of(State.LOST)
    await fill(database, attempt, [[record(0)]])
    await fill(database, attempt, [[record(1)], [record(2, Level.ERROR)]], late=True)
    assert (attempt.log_lines, attempt.first_error_line) == (1, None)
    async with database.read() as session:
        assert [line.line for line in (await read_log(session, attempt, LogQuery())).lines] == [0]
        late = await read_log(session, attempt, LogQuery(late=True))
        assert ([line.line for line in late.lines], late.total_lines) == ([0, 1], 2)


async def test_a_reader_past_the_end_gets_nothing_and_waits(database: Database) -> None:
    attempt = attempt_of()
    await fill(database, attempt, [[record(0)]])
    async with database.read() as session:
        read = await read_log(session, attempt, LogQuery(first=99))
    assert (read.lines, read.next_line, read.complete) == ([], None, False)


async def test_whoever_follows_is_woken_with_the_commit(database: Database) -> None:
    woken: list[str] = []

    async def wake(topics: Sequence[str]) -> None:
        woken.extend(topics)

    database.wake_with(wake)
    await fill(database, attempt_of(), [[record(0)]], late=True)
    assert woken == []
    await fill(database, attempt_of(), [[record(0)]])
    assert woken == [log_topic("att_1")]
