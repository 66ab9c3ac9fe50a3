"""The tables of `check` on a terminal: one that lives while probes run, and one of what they found."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from controlroom.network.checks import Answer, Judgement, Question
from controlroom.network.probes import Outcome
from controlroom.network.reports.checks import CheckReport, lines_of, summary

_STYLES = {
    Judgement.AS_NEEDED: "green",
    Judgement.NOT_AS_NEEDED: "bold red",
    Judgement.UNCERTAIN: "yellow",
}
# What a live table shows while it grows; the rest is in the report that follows.
_LIVE_ROWS = 15


@dataclass
class _Progress:
    """What the live table shows: the outcomes that came last, and how many there are."""

    total: int
    rows: list[tuple[str, str, str, str]]
    done: int = 0

    def __rich__(self) -> Table:
        table = Table(title=f"{self.done} of {self.total} probes", title_justify="left", expand=True)
        for column in ("Flow", "To", "Verdict", "Seen by"):
            table.add_column(column, no_wrap=True, overflow="ellipsis")
        for row in self.rows:
            table.add_row(*(Text(cell) for cell in row))
        return table


@contextmanager
def live_table(wanted: bool, total: int) -> Iterator[Callable[[Question, Outcome], None]]:
    """Show the outcomes as they come, and clear the table at the end."""
    progress = _Progress(total, [])

    def told(question: Question, outcome: Outcome) -> None:
        where = f"{question.destination} {question.probe.transport} {question.target.port}"
        progress.done += 1
        progress.rows = [
            *progress.rows[1 - _LIVE_ROWS :],
            (question.flow, where, str(outcome.verdict), outcome.evidence),
        ]

    if not wanted:
        yield told
        return
    with Live(progress, refresh_per_second=8, transient=True):
        yield told


def show_report(report: CheckReport) -> None:
    """Print what a check found, with what to try next."""
    console = Console()
    table = Table(title=Text(summary(report)), title_justify="left")
    for column in ("", "Flow", "To", "Port", "Must be", "Is", "Seen by, and what to try"):
        table.add_column(column, overflow="fold")
    for line in lines_of(report.answers):
        table.add_row(*_cells(line.first, line.mark, line.ports))
    console.print(table)
    for one in report.disagreements:
        console.print(Text(f"proof and probe disagree: {one.message}", style="bold red"))
    for note in report.notes:
        console.print(Text(f"note: {note}"))


def _cells(answer: Answer, mark: str, ports: str) -> tuple[Text, ...]:
    question, outcome = answer.question, answer.outcome
    seen = outcome.evidence + (f"\n→ {answer.advice}" if answer.advice else "")
    return (
        Text(mark, style=_STYLES[answer.judgement]),
        Text(question.flow),
        Text(f"{question.destination}\n{question.target.host}"),
        Text(f"{question.probe.transport} {ports}"),
        Text(question.expectation),
        Text(outcome.verdict),
        Text(seen),
    )
