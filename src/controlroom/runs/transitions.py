"""The one way in which runs and attempts change their state: checked, written, told in the history, audited, announced."""

from datetime import datetime
from typing import Any

from controlroom.audit import service as audit
from controlroom.audit.actor import SYSTEM, Actor
from controlroom.foundation import outbox
from controlroom.foundation.database import Transaction
from controlroom.runs.measures import measure_end
from controlroom.runs.models import Attempt, HistoryKind, Run, RunHistory
from controlroom.runs.states import ENDED, State, check_attempt, check_run

DISPATCH_TOPIC = "dispatch"
"""Woken when a run may be assigned: one was asked for, a slot became free, a device came."""

_MESSAGE_LENGTH = 1000
_STEP = "70-run-history"


def device_topic(device_id: str) -> str:
    """Return the topic that wakes the connection of a device."""
    return f"device:{device_id}"


def move_run(
    transaction: Transaction,
    run: Run,
    state: State,
    *,
    now: datetime,
    actor: Actor = SYSTEM,
    message: str = "",
    detail: dict[str, Any] | None = None,
) -> None:
    """Bring a run into a state; raise `TransitionRefused` where its state does not allow it."""
    check_run(run.state, state)
    before = run.state
    run.state, run.state_since = state, now
    if state in ENDED:
        run.ended_at, run.message = now, message
        measure_end(transaction, run, now)
    announce(
        transaction,
        run,
        now=now,
        actor=actor,
        message=message,
        detail={"from": before.value, **(detail or {})},
    )
    if state in ENDED or state is State.QUEUED:
        transaction.wake(DISPATCH_TOPIC)


def move_attempt(attempt: Attempt, state: State, *, now: datetime) -> None:
    """Bring an attempt into a state; raise `TransitionRefused` where its state does not allow it.

    An attempt moves only together with its run, whose move is audited and announced.
    """
    check_attempt(attempt.state, state)
    attempt.state = state
    if state is State.RUNNING and attempt.started_at is None:
        attempt.started_at = now
    if state in ENDED:
        attempt.ended_at = now
        attempt.pause_wanted = False


def announce(
    transaction: Transaction, run: Run, *, now: datetime, actor: Actor, message: str, detail: dict[str, Any]
) -> None:
    """Write what a run's new state means into its history, the audit log and the live events."""
    add_history(transaction, run.id, now=now, attempt_id=run.attempt_id, state=run.state, message=message)
    audit.record(
        transaction,
        time=now,
        actor=actor,
        action=f"run.{run.state.value}",
        target_kind="run",
        target_id=run.id,
        target_name=run.bot_name,
        detail={
            **detail,
            **({"message": message} if message else {}),
            **({"attempt_id": run.attempt_id} if run.attempt_id else {}),
        },
    )
    emit_run(transaction, run, now=now, kind=f"run.{run.state.value}")


def emit_run(
    transaction: Transaction, run: Run, *, now: datetime, kind: str, data: dict[str, Any] | None = None
) -> None:
    """Announce something about a run to live pages."""
    body = {
        "state": run.state.value,
        "bot_id": run.bot_id,
        "attempt_id": run.attempt_id,
        "device_id": run.device_id,
    }
    outbox.emit(transaction, time=now, kind=kind, subject=run.id, data={**body, **(data or {})})


def add_history(
    transaction: Transaction,
    run_id: str,
    *,
    now: datetime,
    attempt_id: str | None = None,
    kind: HistoryKind = HistoryKind.STATE,
    state: State | None = None,
    message: str = "",
    detail: dict[str, Any] | None = None,
) -> None:
    """Add a line to a run's history."""
    row = {
        "run_id": run_id,
        "attempt_id": attempt_id,
        "time": now,
        "kind": kind,
        "state": state,
        "message": message[:_MESSAGE_LENGTH],
        "detail": detail or {},
    }
    transaction.add_pending(_STEP, row, _write_history)


async def _write_history(transaction: Transaction) -> None:
    await transaction.insert_rows(RunHistory, transaction.pending[_STEP])
