"""The run page's decisions: what can be done with a run now, which attempt's log is shown, how its story is told."""

from dataclasses import dataclass
from datetime import datetime

from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import At
from controlroom.runs.models import HistoryKind
from controlroom.runs.schemas import AttemptOut, RunDetailOut
from controlroom.runs.states import ENDED, State
from controlroom.web.wording import state_face


@dataclass(frozen=True, slots=True)
class Actions:
    """What the caller can do with a run at this moment."""

    cancel: bool
    pause: bool
    resume: bool
    repeat: bool
    controls: bool
    """They may control the run, whatever its state is now: a page that lives on needs its dialogs later."""


def actions_for(caller: Caller, run: RunDetailOut, at: At) -> Actions:
    """Return what the caller may do where the run lies, and its state allows; the service decides again when asked."""
    controls_it = caller.may(Permission.RUN_CONTROL, at)
    controls = controls_it and run.cancel_requested_at is None
    return Actions(
        cancel=controls and run.state not in ENDED,
        pause=controls and run.state is State.RUNNING,
        resume=controls and run.state is State.PAUSED,
        repeat=caller.may(Permission.RUN_REQUEST, at) and caller.may(Permission.DEVICE_USE),
        controls=controls_it,
    )


def shown_attempt(run: RunDetailOut, number: int | None) -> AttemptOut | None:
    """Return the attempt of a number, the newest one where none is named or there is no such attempt."""
    newest = run.attempts[-1] if run.attempts else None
    return next((attempt for attempt in run.attempts if attempt.number == number), newest)


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the story. ``after_seconds`` counts from the request."""

    time: datetime
    after_seconds: float
    title: str
    icon: str
    tone: str
    message: str
    attempt: int | None


_TITLES = {HistoryKind.STEP: "Step", HistoryKind.LATE: "Came too late", HistoryKind.NOTE: "Note"}
_ICONS = {HistoryKind.STEP: "layers", HistoryKind.LATE: "history", HistoryKind.NOTE: "info"}


def happenings(run: RunDetailOut) -> list[Happening]:
    """Return the run's story, first to last."""
    numbers = {attempt.id: attempt.number for attempt in run.attempts}
    told = []
    for row in run.history:
        face = state_face(row.state) if row.kind is HistoryKind.STATE and row.state else None
        told.append(
            Happening(
                time=row.time,
                after_seconds=max(0.0, (row.time - run.created_at).total_seconds()),
                title=face.word if face else _TITLES.get(row.kind, "Note"),
                icon=face.icon if face else _ICONS.get(row.kind, "info"),
                tone=face.tone if face else "waiting",
                message=row.message,
                attempt=numbers.get(row.attempt_id or ""),
            )
        )
    return told
