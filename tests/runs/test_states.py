"""The transition table."""

import pytest

from controlroom.runs.states import (
    ATTEMPT_TRANSITIONS,
    ENDED,
    RUN_TRANSITIONS,
    State,
    TransitionRefused,
    check_attempt,
    check_run,
)


@pytest.mark.parametrize("before", sorted(ENDED))
@pytest.mark.parametrize("after", sorted(State))
def test_what_has_ended_never_changes_again(before: State, after: State) -> None:
    with pytest.raises(TransitionRefused):
        check_run(before, after)
    with pytest.raises(TransitionRefused):
        check_attempt(before, after)


def test_every_state_has_its_line_in_the_run_table_and_can_be_reached() -> None:
    assert set(RUN_TRANSITIONS) == set(State)
    assert set().union(*RUN_TRANSITIONS.values()) == set(State)


def test_an_attempt_is_never_queued() -> None:
    assert State.QUEUED not in ATTEMPT_TRANSITIONS
    assert all(State.QUEUED not in after for after in ATTEMPT_TRANSITIONS.values())


def test_a_refusal_says_both_states() -> None:
    with pytest.raises(TransitionRefused, match="queued and cannot become running"):
        check_run(State.QUEUED, State.RUNNING)
