"""Cancel, pause and resume: a waiting run at once, an active one through its runner."""

from datetime import datetime

from controlroom.audit import service as audit
from controlroom.foundation.database import Transaction
from controlroom.foundation.errors import Conflict
from controlroom.identity.caller import Caller
from controlroom.runs.errors import RunHasEnded
from controlroom.runs.models import Attempt, HistoryKind, Run
from controlroom.runs.states import ENDED, State
from controlroom.runs.transitions import add_history, device_topic, emit_run, move_run


async def cancel_run(
    transaction: Transaction, run: Run, caller: Caller, reason: str, *, now: datetime
) -> None:
    """Cancel a run; a second cancel changes nothing. Raises `RunHasEnded`."""
    _must_live(run, "cancelled")
    if run.cancel_requested_at is not None:
        return
    run.cancel_requested_at, run.cancel_requested_by = now, caller.user_name
    message = f"Cancelled by {caller.user_name}." + (f" {reason}" if reason else "")
    if run.state is State.QUEUED:
        move_run(transaction, run, State.CANCELLED, now=now, actor=caller.actor, message=message)
        return
    _note(transaction, run, caller, "run.cancel_requested", message, now=now)


async def pause_run(transaction: Transaction, run: Run, caller: Caller, *, now: datetime) -> None:
    """Ask the runner to halt the bot; raise `Conflict` where it is not running."""
    await _want_pause(transaction, run, caller, wanted=True, now=now)


async def resume_run(transaction: Transaction, run: Run, caller: Caller, *, now: datetime) -> None:
    """Ask the runner to let the bot go on; raise `Conflict` where it is not paused."""
    await _want_pause(transaction, run, caller, wanted=False, now=now)


async def _want_pause(
    transaction: Transaction, run: Run, caller: Caller, *, wanted: bool, now: datetime
) -> None:
    verb = "paused" if wanted else "resumed"
    _must_live(run, verb)
    attempt = await transaction.session.get(Attempt, run.attempt_id) if run.attempt_id else None
    needed = State.RUNNING if wanted else State.PAUSED
    if (
        attempt is None
        or (run.state is not needed and attempt.pause_wanted is wanted)
        or run.state not in (State.RUNNING, State.PAUSED)
    ):
        raise Conflict(f"Only a run that is {needed.value} can be {verb}; this one is {run.state.value}.")
    if attempt.pause_wanted is wanted:
        return
    attempt.pause_wanted = wanted
    action = "run.pause_requested" if wanted else "run.resume_requested"
    _note(
        transaction,
        run,
        caller,
        action,
        f"{'Pause' if wanted else 'Resume'} asked for by {caller.user_name}.",
        now=now,
    )


def _must_live(run: Run, verb: str) -> None:
    if run.state in ENDED:
        raise RunHasEnded(f"Run {run.id} has ended as {run.state.value} and cannot be {verb}.")


def _note(
    transaction: Transaction, run: Run, caller: Caller, action: str, message: str, *, now: datetime
) -> None:
    add_history(
        transaction, run.id, now=now, attempt_id=run.attempt_id, kind=HistoryKind.NOTE, message=message
    )
    audit.record(
        transaction, time=now, actor=caller.actor, action=action, target_kind="run", target_id=run.id, target_name=run.bot_name,
        detail={"message": message},
    )  # fmt: skip
    emit_run(transaction, run, now=now, kind=action)
    if run.device_id is not None:
        transaction.wake(device_topic(run.device_id))
