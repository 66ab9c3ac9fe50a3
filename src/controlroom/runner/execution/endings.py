"""Decides how an attempt ended, from what is known of it: pure functions."""

import signal
from dataclasses import dataclass

from controlroom.protocol.messages import Outcome

_LONGEST_MESSAGE = 1_000


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the runner stopped a bot: the outcome that this gives it, and one sentence."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Ending:
    """The judgement on an attempt."""

    outcome: Outcome
    message: str = ""
    error_type: str = ""


def judge(
    exit_code: int | None,
    stop: Stop | None,
    error: tuple[str, str] | None,
    last_error_line: str,
    over_limit: str,
    not_kept: str = "",
) -> Ending:
    """Judge a bot whose process has ended.

    ``error`` is type and text as the launcher told them, ``last_error_line`` the end of the newest traceback on its
    standard error, ``over_limit`` what it left that could not be kept within its limit, ``not_kept`` why this machine
    could not keep something.
    """
    if stop is not None:
        return Ending(stop.outcome, _cut(stop.reason))
    if exit_code != 0:
        return _judge_failure(exit_code, error, last_error_line)
    if over_limit:
        return Ending(Outcome.FAILED, over_limit, "ArtifactsTooLarge")
    if not_kept:
        return Ending(Outcome.FAILED, _cut(not_kept), "ArtifactsNotKept")
    return Ending(Outcome.SUCCEEDED)


def _judge_failure(exit_code: int | None, error: tuple[str, str] | None, last_error_line: str) -> Ending:
    """Say why a bot failed, by the most exact source there is."""
    if error is not None:
        kind, text = error
        plain = kind in {"bot.Failed", "SystemExit"} and text
        return Ending(Outcome.FAILED, _cut(text if plain else f"{kind}: {text}".removesuffix(": ")), kind)
    if exit_code is None:
        return Ending(
            Outcome.FAILED, "The bot was killed from outside, together with the process that watched it."
        )
    if exit_code < 0:
        return Ending(Outcome.FAILED, f"The bot was ended by {signal_name(-exit_code)}.", "Signal")
    if last_error_line:
        kind = last_error_line.partition(":")[0]
        return Ending(
            Outcome.FAILED, _cut(last_error_line), kind if kind.replace(".", "_").isidentifier() else ""
        )
    return Ending(Outcome.FAILED, f"The bot ended with exit code {exit_code}.")


def signal_name(number: int) -> str:
    """Name a signal for people, such as ``signal SIGKILL (9)``."""
    try:
        return f"signal {signal.Signals(number).name} ({number})"
    except ValueError:
        return f"signal {number}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"
