"""What each report of a living attempt changes."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec
from sqlalchemy import delete

from controlroom.bots.manifest import RetryPolicy
from controlroom.foundation.database import Transaction
from controlroom.foundation.ids import new_id
from controlroom.protocol.messages import (
    ArtifactStored,
    Ended,
    Log,
    LogGap,
    Outcome,
    Output,
    Paused,
    Preparing,
    Progress,
    ReportBody,
    Resumed,
    Started,
    UsageSample,
)
from controlroom.protocol.records import Level, LogRecord, Stream
from controlroom.runs.ending import TryAgain, after_attempt
from controlroom.runs.log import append_records
from controlroom.runs.measures import measure_busy, measure_start
from controlroom.runs.models import Artifact, Attempt, HistoryKind, Run, UploadedBlob
from controlroom.runs.states import State
from controlroom.runs.storable import (
    LATEST_TIME,
    storable_exit_code,
    storable_number,
    storable_text,
    storable_value,
)
from controlroom.runs.transitions import add_history, emit_run, move_attempt, move_run
from controlroom.runs.usage import add_sample

_OUTPUTS_BYTES = 1024 * 1024
_HASH_LENGTH = 64  # hex digits of a SHA-256
_SHORT = 200
_LONG = 500
_MESSAGE = 4_000
_STATES: Final[Mapping[Outcome, State]] = {outcome: State(outcome.value) for outcome in Outcome}


async def apply_body(
    transaction: Transaction, attempt: Attempt, run: Run, body: ReportBody, *, now: datetime, chance: float
) -> None:
    """Apply one report; raise `TransitionRefused` before anything is changed where the state does not allow it."""
    match body:
        case Log(records=records):
            await append_records(transaction, attempt, records)
        case LogGap(lines=0):
            return
        case LogGap():
            await append_records(transaction, attempt, [gap_record(body, now)])
        case Progress():
            attempt.progress = None if body.fraction is None else storable_number(body.fraction, largest=1.0)
            attempt.progress_message = storable_text(body.message, _LONG)
            data = {"progress": attempt.progress, "message": attempt.progress_message}
            emit_run(transaction, run, now=now, kind="run.progress", data=data)
        case Preparing(step=step):
            attempt.step = storable_text(step, _SHORT)
            emit_run(transaction, run, now=now, kind="run.step", data={"step": attempt.step})
        case Started():
            _start(transaction, attempt, run, body, now=now)
        case Paused():
            move_attempt(attempt, State.PAUSED, now=now)
            move_run(transaction, run, State.PAUSED, now=now)
        case Resumed():
            move_attempt(attempt, State.RUNNING, now=now)
            move_run(transaction, run, State.RUNNING, now=now, message="Resumed.")
        case Output():
            _set_output(transaction, attempt, run, body, now=now)
        case ArtifactStored():
            await _keep_artifact(transaction, attempt, run, body, now=now)
        case UsageSample():
            await add_sample(transaction, attempt, body)
        case Ended():
            end_attempt(transaction, attempt, run, body, now=now, chance=chance)


def _start(transaction: Transaction, attempt: Attempt, run: Run, body: Started, *, now: datetime) -> None:
    move_attempt(attempt, State.RUNNING, now=now)
    attempt.step = ""
    attempt.warm, attempt.start_note, attempt.environment = (
        body.warm,
        storable_text(body.note, _LONG),
        storable_text(body.environment, 80),
    )
    if run.started_at is None:
        run.started_at = now
        measure_start(transaction, run, now)
    move_run(transaction, run, State.RUNNING, now=now, message=attempt.start_note)


def end_attempt(
    transaction: Transaction, attempt: Attempt, run: Run, body: Ended, *, now: datetime, chance: float
) -> None:
    """End an attempt, and its run with it or not, as the retry policy has it."""
    state = _STATES[body.outcome]
    if state is State.SUCCEEDED and attempt.state is State.ASSIGNED:
        move_attempt(attempt, State.RUNNING, now=now)
        move_run(transaction, run, State.RUNNING, now=now)
    move_attempt(attempt, state, now=now)
    measure_busy(transaction, attempt, now)
    attempt.exit_code = storable_exit_code(body.exit_code)
    attempt.message = storable_text(body.message, _MESSAGE)
    attempt.error_type = storable_text(body.error_type, _SHORT)
    usage = msgspec.structs.asdict(body.usage)
    attempt.usage = {name: storable_number(value) for name, value in usage.items()}
    policy = msgspec.convert(run.retry, RetryPolicy)
    cancelled = run.cancel_requested_at is not None
    decision = after_attempt(
        state, policy, attempts=attempt.number, cancel_requested=cancelled, chance=chance
    )
    if isinstance(decision, TryAgain):
        requeue(transaction, attempt, run, decision.delay_seconds, now=now)
        return
    run.outputs = attempt.outputs
    move_run(
        transaction,
        run,
        decision.state,
        now=now,
        message=attempt.message,
        detail={"exit_code": attempt.exit_code},
    )


def requeue(
    transaction: Transaction, attempt: Attempt, run: Run, delay_seconds: float, *, now: datetime
) -> None:
    """Send a run back to the queue after an attempt that ended without it."""
    message = f"Attempt {attempt.number} ended as {attempt.state.value}; trying again in {delay_seconds:.0f} s. {attempt.message}"
    run.queued_at = now
    run.not_before = datetime.fromtimestamp(now.timestamp() + delay_seconds, UTC)
    move_run(transaction, run, State.QUEUED, now=now, message=message.strip())


def _set_output(transaction: Transaction, attempt: Attempt, run: Run, body: Output, *, now: datetime) -> None:
    outputs = {**attempt.outputs, storable_text(body.name, _SHORT): storable_value(body.value)}
    if len(msgspec.json.encode(outputs)) > _OUTPUTS_BYTES:
        message = f"Output '{storable_text(body.name, _SHORT)}' was dropped: the outputs of an attempt may be {_OUTPUTS_BYTES:,} bytes."
        add_history(
            transaction, run.id, now=now, attempt_id=attempt.id, kind=HistoryKind.NOTE, message=message
        )
        return
    attempt.outputs = outputs


async def _keep_artifact(
    transaction: Transaction, attempt: Attempt, run: Run, body: ArtifactStored, *, now: datetime
) -> None:
    session = transaction.session
    sha256 = storable_text(body.sha256, _HASH_LENGTH)
    uploaded = await session.get(UploadedBlob, (attempt.id, sha256))
    name = storable_text(body.name, 400)
    if uploaded is None:
        message = f"Artifact '{name}' was announced but its content never came."
        add_history(
            transaction, run.id, now=now, attempt_id=attempt.id, kind=HistoryKind.NOTE, message=message
        )
        return
    await session.execute(delete(Artifact).where(Artifact.attempt_id == attempt.id, Artifact.name == name))
    session.add(
        Artifact(
            id=new_id("art"),
            run_id=run.id,
            attempt_id=attempt.id,
            name=name,
            sha256=sha256,
            size_bytes=uploaded.size_bytes,
            media_type=storable_text(body.media_type, _SHORT),
            created_at=now,
        )
    )
    emit_run(transaction, run, now=now, kind="run.artifact", data={"name": name})


def gap_record(gap: LogGap, now: datetime) -> LogRecord:
    """Return the line that stands in a log for lines that gave way, at the time of the last of them; times are UTC."""
    first, last = (_moment(time) for time in (gap.first_time, gap.last_time))
    when = ""
    if first is not None and last is not None:
        begun, ended = (f"{moment:%H:%M:%S}" for moment in (first, last))
        if first.date() != last.date():
            begun, ended = (f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (first, last))
        when = f" at {begun} UTC" if begun == ended else f" between {begun} and {ended} UTC"
    what = "1 line was" if gap.lines == 1 else f"{gap.lines:,} lines were"
    text = f"{what} dropped{when}: the runner's buffer was full while the Control Room was out of reach."
    return LogRecord((last or now).timestamp(), Stream.SYSTEM, Level.WARNING, text)


def _moment(time: float | None) -> datetime | None:
    if time is None or math.isnan(time):
        return None
    return datetime.fromtimestamp(storable_number(time, largest=LATEST_TIME), UTC)
