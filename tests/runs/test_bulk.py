"""What a bulk action says before it is done, what differs between two logs, which devices away would fit."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from controlroom.runs.away import AwayDevice, away_words
from controlroom.runs.bulk import BulkAction, Selection, summary
from controlroom.runs.compare import first_parting
from controlroom.runs.matching import Board, OpenDevice, WaitingRun
from controlroom.runs.models import Run
from controlroom.runs.schemas import BulkIn, LevelName, LogLineOut
from controlroom.runs.states import State

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run(state: State, *, bot: str = "orders", cancelled: bool = False) -> Run:
    return Run(state=state, bot_name=bot, cancel_requested_at=NOW if cancelled else None)


def test_cancelling_says_what_goes_and_what_stays() -> None:
    runs = [run(State.RUNNING)] * 3 + [run(State.QUEUED)] + [run(State.FAILED), run(State.SUCCEEDED)]
    told = summary(BulkAction.CANCEL, Selection(runs))
    assert told.words == "Cancel 3 running, 1 queued; 2 have ended and stay."
    assert (told.changes, told.stays) == (4, 2)


def test_cancelling_again_counts_nothing_twice() -> None:
    told = summary(BulkAction.CANCEL, Selection([run(State.RUNNING, cancelled=True)], missing=["run_x"]))
    assert told.changes == 0
    assert told.words == "Nothing to cancel; 1 is being cancelled already. 1 is not there any more."


def test_running_again_names_the_bots() -> None:
    told = summary(
        BulkAction.REPEAT, Selection([run(State.FAILED), run(State.RUNNING, bot="mail")], more=True)
    )
    assert "1 of orders, 1 of mail" in told.words
    assert "the newest 2 are taken" in told.words


@pytest.mark.parametrize("given", [{}, {"ids": ["run_a"], "filter": ""}])
def test_runs_are_named_or_filtered_and_not_both(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="and not both"):
        BulkIn.model_validate(given)


def line(text: str, level: LevelName = "info") -> LogLineOut:
    return LogLineOut(line=0, time=NOW, stream="log", level=level, text=text)


@pytest.mark.parametrize(
    ("before", "after", "parting"),
    [
        (["at 10:00:01 took 3 ms"], ["at 11:30:59 took 4 ms"], None),
        (["run_01jdq3v0t8k2w9c5m7x4n6p1ha"], ["run_01jdq3v0t8k2w9c5m7x4n6p1hb"], None),
        (["a", "3 orders"], ["a", "4 orders"], 1),
        (["a"], ["a", "b"], 1),
        ([], [], None),
    ],
)
def test_logs_part_where_more_than_times_differs(
    before: list[str], after: list[str], parting: int | None
) -> None:
    assert first_parting([line(text) for text in before], [line(text) for text in after]) == parting


def test_a_line_of_another_level_differs() -> None:
    assert first_parting([line("x")], [line("x", "error")]) == 0


def test_devices_that_would_fit_but_are_away_are_counted() -> None:
    waiting = WaitingRun("r", "b", None, frozenset({"excel"}))
    excel = frozenset({"excel"})
    away = [AwayDevice("a", excel, frozenset(), True), AwayDevice("b", excel, frozenset(), True)]
    away += [AwayDevice("c", excel, frozenset(), False), AwayDevice("d", frozenset(), frozenset(), True)]
    board = Board([OpenDevice("e", "e", frozenset(), frozenset(), 1, 1)])
    told = "2 devices would fit but are offline; 1 device would fit but takes no new work"
    assert away_words(waiting, board, away) == told
    fits = Board([OpenDevice("e", "e", excel, frozenset(), 1, 0)])
    assert away_words(waiting, fits, away) == ""
