"""What follows when an attempt has ended: the run ends with it, or is tried again. Decided by values alone."""

from dataclasses import dataclass

from controlroom.bots.manifest import RetryPolicy
from controlroom.runs.states import State

_JITTER_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class TryAgain:
    """The run goes back to the queue and may be assigned again after the delay."""

    delay_seconds: float


@dataclass(frozen=True, slots=True)
class EndRun:
    """The run ends in this state."""

    state: State


def after_attempt(
    ended: State, policy: RetryPolicy, *, attempts: int, cancel_requested: bool, chance: float
) -> TryAgain | EndRun:
    """Decide what follows an ended attempt.

    ``attempts`` counts those made so far, this one included. ``chance`` between 0 and 1 spreads the delay over plus
    or minus a quarter, so that runs that failed together do not all come back together.
    """
    if cancel_requested or attempts > policy.count or not _is_retried(ended, policy):
        return EndRun(ended)
    backoff = min(policy.backoff_seconds * 2 ** (attempts - 1), policy.backoff_limit_seconds)
    return TryAgain(backoff * (1 - _JITTER_SHARE + 2 * _JITTER_SHARE * chance))


def _is_retried(ended: State, policy: RetryPolicy) -> bool:
    if policy.on == "failure":
        return ended in {State.LOST, State.FAILED, State.TIMED_OUT}
    return policy.on == "loss" and ended is State.LOST
