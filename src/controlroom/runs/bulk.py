"""One action on many runs: which ones, and in words what it will do to how many."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from controlroom.runs.models import Run
from controlroom.runs.schemas import BulkSummary
from controlroom.runs.states import ENDED, State

MOST_BY_FILTER = 1_000
"""Runs that one bulk action takes; each is a transaction of its own, some milliseconds long."""
_MOST_BOTS_NAMED = 5


class BulkAction(StrEnum):
    """What can be done to many runs at once."""

    CANCEL = "cancel"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True)
class Selection:
    """The runs that were meant, the ids that name none, and whether the filter finds more than were taken.

    ``barred`` counts those that were meant too, which the caller may see and not change.
    """

    runs: Sequence[Run]
    missing: Sequence[str] = ()
    more: bool = False
    barred: int = 0


def summary(action: BulkAction, selection: Selection) -> BulkSummary:
    """Say what an action would do to a selection."""
    by_state = Counter(run.state for run in selection.runs)
    if action is BulkAction.CANCEL:
        already = sum(1 for run in selection.runs if run.state not in ENDED and run.cancel_requested_at)
        ended = sum(count for state, count in by_state.items() if state in ENDED)
        changes = len(selection.runs) - ended - already
        words = _cancel_words(selection.runs, ended, already)
    else:
        changes = len(selection.runs)
        words = _repeat_words(selection.runs)
    if selection.missing:
        words += f" {_so_many(len(selection.missing), 'is', 'are')} not there any more."
    if selection.barred:
        words += f" {_so_many(selection.barred, 'is', 'are')} not yours to change and {'stays' if selection.barred == 1 else 'stay'}."
    if selection.more:
        words += f" The filter finds more; the newest {len(selection.runs):,} are taken."
    return BulkSummary(
        words=words,
        changes=changes,
        stays=len(selection.runs) + selection.barred - changes,
        by_state={state: by_state[state] for state in State if by_state[state]},
        missing=list(selection.missing),
        more=selection.more,
    )


def _cancel_words(runs: Iterable[Run], ended: int, already: int) -> str:
    living = Counter(run.state for run in runs if run.state not in ENDED and not run.cancel_requested_at)
    begun = f"Cancel {_listed(living)}" if living else "Nothing to cancel"
    rest = []
    if ended:
        rest.append(f"{_so_many(ended, 'has', 'have')} ended and {'stays' if ended == 1 else 'stay'}")
    if already:
        rest.append(f"{_so_many(already, 'is', 'are')} being cancelled already")
    return "; ".join([begun, *rest]) + "."


def _listed(counts: Mapping[State, int]) -> str:
    order = (State.RUNNING, State.PAUSED, State.ASSIGNED, State.QUEUED)
    return ", ".join(f"{counts[state]:,} {state.value}" for state in order if counts.get(state))


def _repeat_words(runs: Sequence[Run]) -> str:
    if not runs:
        return "Nothing to run again."
    bots = Counter(run.bot_name for run in runs).most_common()
    named = ", ".join(f"{count:,} of {name}" for name, count in bots[:_MOST_BOTS_NAMED])
    further = f" and {len(bots) - _MOST_BOTS_NAMED:,} other bots" if len(bots) > _MOST_BOTS_NAMED else ""
    whole = (
        "Run it again, with the same version"
        if len(runs) == 1
        else f"Run {len(runs):,} again, each with the same version"
    )
    return f"{whole}, inputs and target: {named}{further}."


def _so_many(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
