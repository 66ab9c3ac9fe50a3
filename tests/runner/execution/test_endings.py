"""The judgement on an attempt, by values."""

from controlroom.protocol.messages import Outcome
from controlroom.runner.execution.endings import Stop, judge


def test_a_stop_decides_whatever_the_exit_code() -> None:
    stop = Stop(Outcome.CANCELLED, "by Ana")

    for exit_code in (0, 1, -9, None):
        assert judge(exit_code, stop, ("E", "x"), "E: y", "over").outcome is Outcome.CANCELLED


def test_the_most_exact_source_names_the_failure() -> None:
    assert judge(1, None, ("a.B", "x"), "C: y", "").message == "a.B: x"
    assert judge(1, None, ("a.B", ""), "C: y", "").message == "a.B"
    assert judge(1, None, ("SystemExit", "no file"), "", "").message == "no file"
    assert judge(1, None, None, "C: y", "").error_type == "C"
    assert judge(1, None, None, "some words: y", "").error_type == ""
    assert judge(3, None, None, "", "").message == "The bot ended with exit code 3."
    assert judge(-9, None, None, "C: y", "").message == "The bot was ended by signal SIGKILL (9)."
    assert judge(-200, None, None, "", "").message == "The bot was ended by signal 200."
    assert "killed from outside" in judge(None, None, None, "", "").message


def test_success_needs_everything_kept() -> None:
    assert judge(0, None, None, "E: handled", "").outcome is Outcome.SUCCEEDED
    assert judge(0, None, None, "", "too large").outcome is Outcome.FAILED


def test_message_is_bounded() -> None:
    assert len(judge(1, None, ("E", "x" * 10_000), "", "").message) == 1_000
