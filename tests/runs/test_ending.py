"""What follows when an attempt has ended."""

import pytest

from controlroom.bots.manifest import RetryPolicy
from controlroom.runs.ending import EndRun, TryAgain, after_attempt
from controlroom.runs.states import ENDED, State

NEVER, ON_LOSS, ON_FAILURE = (
    RetryPolicy(on="never"),
    RetryPolicy(on="loss", count=2),
    RetryPolicy(on="failure", count=2),
)


def decide(
    state: State, policy: RetryPolicy, *, attempts: int = 1, cancelled: bool = False, chance: float = 0.5
) -> TryAgain | EndRun:
    return after_attempt(state, policy, attempts=attempts, cancel_requested=cancelled, chance=chance)


@pytest.mark.parametrize("state", sorted(ENDED))
def test_without_a_policy_the_run_ends_as_its_attempt(state: State) -> None:
    assert decide(state, NEVER) == EndRun(state)


def test_loss_is_retried_by_both_policies_and_failure_by_one() -> None:
    assert isinstance(decide(State.LOST, ON_LOSS), TryAgain)
    assert isinstance(decide(State.LOST, ON_FAILURE), TryAgain)
    assert decide(State.FAILED, ON_LOSS) == EndRun(State.FAILED)
    assert isinstance(decide(State.FAILED, ON_FAILURE), TryAgain)
    assert isinstance(decide(State.TIMED_OUT, ON_FAILURE), TryAgain)


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.CANCELLED, State.REJECTED])
def test_what_is_done_or_hopeless_is_not_tried_again(state: State) -> None:
    assert decide(state, ON_FAILURE) == EndRun(state)


def test_the_count_is_of_further_attempts() -> None:
    assert isinstance(decide(State.LOST, ON_LOSS, attempts=2), TryAgain)
    assert decide(State.LOST, ON_LOSS, attempts=3) == EndRun(State.LOST)


def test_a_cancelled_run_is_not_tried_again() -> None:
    assert decide(State.LOST, ON_LOSS, cancelled=True) == EndRun(State.LOST)


def test_the_delay_doubles_up_to_its_limit_and_is_spread() -> None:
    policy = RetryPolicy(on="loss", count=100, backoff_seconds=4, backoff_limit_seconds=10)
    assert decide(State.LOST, policy, attempts=1) == TryAgain(4)
    assert decide(State.LOST, policy, attempts=2) == TryAgain(8)
    assert decide(State.LOST, policy, attempts=50) == TryAgain(10)
    assert decide(State.LOST, policy, chance=0) == TryAgain(3)
    assert decide(State.LOST, policy, chance=1) == TryAgain(5)
