"""The one transition table of runs and attempts. Nothing else in the product decides which state may follow which."""

from collections.abc import Mapping
from enum import StrEnum

from controlroom.foundation.errors import Conflict


class State(StrEnum):
    """Where a run or an attempt is in its life. An attempt is never queued: it begins as assigned."""

    QUEUED = "queued"
    ASSIGNED = "assigned"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    LOST = "lost"
    REJECTED = "rejected"


ENDED = frozenset(
    {State.SUCCEEDED, State.FAILED, State.CANCELLED, State.TIMED_OUT, State.LOST, State.REJECTED}
)
"""States that never change again."""

ACTIVE = frozenset({State.ASSIGNED, State.RUNNING, State.PAUSED})
"""States in which a run holds a slot of a device."""

ATTEMPT_TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.ASSIGNED: ENDED - {State.SUCCEEDED} | {State.RUNNING},
    State.RUNNING: ENDED | {State.PAUSED},
    State.PAUSED: ENDED | {State.RUNNING},
    **dict.fromkeys(ENDED, frozenset()),
}

RUN_TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.ASSIGNED, State.CANCELLED, State.TIMED_OUT, State.REJECTED}),
    State.ASSIGNED: ENDED - {State.SUCCEEDED} | {State.RUNNING, State.QUEUED},
    State.RUNNING: ENDED | {State.PAUSED, State.QUEUED},
    State.PAUSED: ENDED | {State.RUNNING, State.QUEUED},
    **dict.fromkeys(ENDED, frozenset()),
}


class TransitionRefused(Conflict):
    """The state does not allow this change."""

    code = "transition_refused"


def check_run(before: State, after: State) -> None:
    """Raise `TransitionRefused` where a run may not go from one state to the other."""
    _check("run", RUN_TRANSITIONS, before, after)


def check_attempt(before: State, after: State) -> None:
    """Raise `TransitionRefused` where an attempt may not go from one state to the other."""
    _check("attempt", ATTEMPT_TRANSITIONS, before, after)


def _check(what: str, table: Mapping[State, frozenset[State]], before: State, after: State) -> None:
    if after not in table[before]:
        raise TransitionRefused(f"The {what} is {before.value} and cannot become {after.value}.")
