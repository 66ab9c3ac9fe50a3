"""What runners report: each report once, in order, only with the token that counts; what is late is kept aside."""

import hashlib
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.audit.service import verify
from controlroom.protocol.messages import (
    Ack,
    ArtifactStored,
    Ended,
    Log,
    LogGap,
    Outcome,
    Output,
    Paused,
    Preparing,
    Progress,
    Report,
    ReportBody,
    Resumed,
    StaleAttempt,
    Started,
    Usage,
)
from controlroom.protocol.records import Level, LogRecord, Stream
from controlroom.runs.errors import AttemptForbidden
from controlroom.runs.log import LogQuery
from controlroom.runs.models import Attempt
from controlroom.runs.reports import Delivery
from controlroom.runs.schemas import RetryIn
from controlroom.runs.states import State
from controlroom.runs.storable import storable_exit_code, storable_value
from controlroom.runs.tokens import AttemptTokens
from runs.conftest import CALLER, Room

NEVER = RetryIn(on="never")


def line(text: str, level: Level = Level.INFO) -> LogRecord:
    return LogRecord(1_700_000_000.5, Stream.STDOUT, level, text)


def ended(outcome: Outcome = Outcome.SUCCEEDED, code: int | None = 0, message: str = "") -> Ended:
    return Ended(1.0, outcome, code, message, usage=Usage(1.5, 1000, 2.0))


async def deliver(
    room: Room, attempt: Attempt, number: int, body: ReportBody, *, token: str = "", device: str = ""
) -> list[Any]:
    report = Report(attempt.id, token or room.tokens.token_for(attempt.id), number, body)
    return (await room.applier.apply([Delivery(device or attempt.device_id, [report])]))[0]


async def content(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_a_life_is_told_from_start_to_end(room: Room) -> None:
    await room.device()
    run = await room.ask()
    await room.dispatcher.assign_all()
    attempt = await room.attempt_of(run.id)
    answers = await room.report(
        attempt,
        Preparing("Building the environment"),
        Started(1.0, warm=False, environment="abc", pid=4, note="cold"),
        Progress(0.5, "half"),
        Output("total", {"sum": 3}),
        Output("total", 4),
        Log((line("one"), line("two", Level.ERROR))),
        ended(),
    )
    assert answers == [Ack(attempt.id, 7, closed=True)]
    attempt, run = await room.attempt_of(run.id), await room.run(run.id)
    assert (run.state, run.outputs, run.ended_at) == (State.SUCCEEDED, {"total": 4}, room.clock.now())
    assert (attempt.state, attempt.exit_code, attempt.log_lines, attempt.first_error_line) == (
        State.SUCCEEDED, 0, 2, 1,
    )  # fmt: skip
    assert (attempt.warm, attempt.start_note, attempt.progress, attempt.step) == (False, "cold", 0.5, "")
    assert attempt.usage["cpu_seconds"] == 1.5
    assert await room.history(run.id) == ["queued", "assigned", "running", "succeeded"]
    async with room.database.read() as session:
        assert not (await verify(session)).faults


async def test_a_report_that_comes_again_changes_nothing(room: Room) -> None:
    await room.device()
    attempt = await room.start()
    for _ in range(3):
        assert await deliver(room, attempt, 2, Log((line("once"),))) == [Ack(attempt.id, 2)]
    assert (await room.attempt_of(attempt.run_id)).log_lines == 1


async def test_a_gap_is_answered_with_the_last_number_taken(room: Room) -> None:
    await room.device()
    attempt = await room.start()
    assert await deliver(room, attempt, 5, ended()) == [Ack(attempt.id, 1)]
    assert (await room.run(attempt.run_id)).state is State.RUNNING


@pytest.mark.parametrize("fault", ["token", "device", "attempt"])
async def test_what_does_not_count_changes_nothing(room: Room, fault: str) -> None:
    await room.device()
    other = await room.device("other")
    attempt = await room.start(device="one")
    if fault == "attempt":
        room.numbers.clear()
        attempt.id = "att_none"
    answers = await deliver(
        room,
        attempt,
        2,
        ended(),
        token="0" * 32 if fault == "token" else "",
        device=other if fault == "device" else "",
    )
    assert [type(answer) for answer in answers] == [StaleAttempt, Ack]
    assert answers[1].closed
    run = await room.run(attempt.run_id)
    assert (run.state, run.ended_at) == (State.RUNNING, None)


async def test_what_comes_late_is_kept_aside_and_seen(room: Room) -> None:
    await room.device()
    attempt = await room.start(retry=NEVER)
    room.clock.advance(46)
    assert await room.leases.end_overdue() == 1
    before = await room.run(attempt.run_id)
    answers = await room.report(attempt, Log((line("late"),)), Output("total", 1), ended())
    assert [type(answer) for answer in answers] == [StaleAttempt, Ack]
    assert answers[-1] == Ack(attempt.id, 4, closed=True)
    after = await room.run(attempt.run_id)
    assert (after.state, after.outputs, after.ended_at) == (State.LOST, {}, before.ended_at)
    assert (await room.runs.log(CALLER, attempt.id, LogQuery())).lines == []
    late = await room.runs.log(CALLER, attempt.id, LogQuery(late=True))
    assert [each.text for each in late.lines] == ["late"]
    told = (await room.history(after.id))[-2:]
    assert "output 'total'" in told[0]
    assert "the bot ended as succeeded. Nothing was changed by it." in told[1]


async def test_a_lost_attempt_is_followed_by_another_and_its_words_do_not_reach_it(room: Room) -> None:
    await room.device()
    first = await room.start()
    room.clock.advance(46)
    await room.leases.end_overdue()
    room.clock.advance(10)
    device = await room.device("second")
    await room.dispatcher.assign_all()
    second = await room.attempt_of(first.run_id)
    assert (second.number, second.device_id) == (2, device)
    await room.report(first, Output("from", "first"), ended())
    assert (await room.run(first.run_id)).state is State.ASSIGNED
    await room.report(
        second, Started(1.0, warm=True, environment="e", pid=1), Output("from", "second"), ended()
    )
    assert (await room.run(first.run_id)).outputs == {"from": "second"}


async def test_every_outcome_ends_the_run_as_itself(room: Room) -> None:
    await room.device(slots=len(Outcome))
    for outcome in Outcome:
        attempt = await room.start(retry=NEVER)
        await room.report(attempt, ended(outcome, None, "why"))
        run = await room.run(attempt.run_id)
        assert (run.state.value, run.message) == (outcome.value, "why")


async def test_a_report_that_does_not_fit_the_state_is_noted_and_holds_nothing_up(room: Room) -> None:
    await room.device()
    attempt = await room.start()
    await room.report(attempt, Resumed(1.0), Paused(1.0), Paused(1.0), Resumed(1.0), ended())
    assert (await room.run(attempt.run_id)).state is State.SUCCEEDED
    notes = [told for told in await room.history(attempt.run_id) if "did not fit" in told]
    assert len(notes) == 2


async def test_lines_that_gave_way_are_told_in_the_log(room: Room) -> None:
    await room.device()
    attempt = await room.start()
    gone = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC
    gaps = [
        (
            LogGap(1_204, gone + 131, gone + 135.5),
            "1,204 lines were dropped between 08:02:11 and 08:02:15 UTC: ",
        ),
        (LogGap(1, gone, gone), "1 line was dropped at 08:00:00 UTC: "),
        (
            LogGap(2, gone, gone + 86_400),
            "2 lines were dropped between 2027-01-15 08:00:00 and 2027-01-16 08:00:00 UTC: ",
        ),
        (LogGap(3), "3 lines were dropped: "),
        (LogGap(4, math.nan, math.inf), "4 lines were dropped: "),
        (LogGap(5, -1e300, 1e300), "5 lines were dropped between 1970-01-01 00:00:00 and "),
    ]
    bodies = [body for body, _ in gaps]
    await room.report(attempt, Log((line("first"),)), LogGap(0), *bodies, Log((line("last"),)))
    log = await room.runs.log(CALLER, attempt.id, LogQuery())
    told = log.lines[1:-1]
    assert (log.lines[0].text, log.lines[-1].text) == ("first", "last")
    for each, (_, text) in zip(told, gaps, strict=True):
        assert each.text.startswith(text)
        assert each.level == "warning"
    assert told[0].time.timestamp() == gone + 135.5


async def test_an_artifact_counts_once_its_content_came_and_the_later_of_a_name_stays(room: Room) -> None:
    await room.device()
    attempt = await room.start()
    token = room.tokens.token_for(attempt.id)
    hashes = [hashlib.sha256(data).hexdigest() for data in (b"old", b"newer", b"never")]
    for sha256, data in zip(hashes, (b"old", b"newer"), strict=False):
        await room.files.store_artifact(attempt.device_id, attempt.id, token, sha256, content(data))
    for sha256 in hashes:
        name = "missing.txt" if sha256 == hashes[2] else "report.txt"
        await room.report(attempt, ArtifactStored(name, sha256, 1, "text/plain"))
    (artifact,) = await room.runs.artifacts(CALLER, attempt.run_id)
    assert (artifact.name, artifact.sha256, artifact.size_bytes) == ("report.txt", hashes[1], 5)
    _, path = await room.runs.artifact_file(CALLER, artifact.id)
    assert path.read_bytes() == b"newer"
    assert any("'missing.txt' was announced but" in told for told in await room.history(attempt.run_id))


async def test_files_are_open_to_the_attempts_own_device_and_token_only(room: Room) -> None:
    await room.device()
    other = await room.device("other")
    attempt = await room.start(device="one")
    token = room.tokens.token_for(attempt.id)
    path, sha256 = await room.files.package(attempt.device_id, attempt.id, token)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    for device, shown in ((other, token), (attempt.device_id, "0" * 32), (attempt.device_id, "")):
        with pytest.raises(AttemptForbidden):
            await room.files.package(device, attempt.id, shown)
        with pytest.raises(AttemptForbidden):
            await room.files.store_artifact(device, attempt.id, shown, sha256, content(b""))


async def test_outputs_past_their_bound_are_dropped_and_said(room: Room) -> None:
    await room.device()
    attempt = await room.start()
    await room.report(attempt, Output("small", 1), Output("large", "x" * 1_100_000), ended())
    run = await room.run(attempt.run_id)
    assert run.outputs == {"small": 1}
    assert any("Output 'large' was dropped" in told for told in await room.history(run.id))


async def test_reports_of_many_devices_are_answered_each_to_its_own(room: Room) -> None:
    await room.device("one")
    await room.device("two")
    attempts = [await room.start(device=name) for name in ("one", "two")]
    deliveries = [
        Delivery(each.device_id, [Report(each.id, room.tokens.token_for(each.id), 2, Log((line("x"),)))])
        for each in attempts
    ]
    assert await room.applier.apply(deliveries) == [[Ack(each.id, 2)] for each in attempts]


@given(st.text(max_size=20), st.text(max_size=40))
def test_only_its_own_token_fits_an_attempt(attempt_id: str, token: str) -> None:
    tokens = AttemptTokens(b"key")
    assert tokens.is_valid(attempt_id, tokens.token_for(attempt_id))
    assert tokens.is_valid(attempt_id, token) == (token == tokens.token_for(attempt_id))
    assert not AttemptTokens(b"other").is_valid(attempt_id, tokens.token_for(attempt_id))


@given(st.integers())
def test_exit_codes_become_signed_numbers_of_32_bits(code: int) -> None:
    kept = storable_exit_code(code)
    assert kept is not None
    assert -(2**31) <= kept < 2**31
    assert (kept - code) % 2**32 == 0


@pytest.mark.parametrize(
    ("value", "kept"),
    [("a\0b", "a\ufffdb"), (float("nan"), "nan"), ([1, (2,)], [1, [2]]), ({1: b"x"}, {"1": "b'x'"}), (True, True)],
)  # fmt: skip
def test_odd_values_become_storable(value: object, kept: object) -> None:
    assert storable_value(value) == kept
