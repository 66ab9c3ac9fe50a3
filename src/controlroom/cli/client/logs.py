"""Prints runs' logs, as they are and as they grow."""

import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console

from controlroom.cli.client.rest import Client
from controlroom.cli.output import out
from controlroom.foundation.errors import Invalid

ENDED = frozenset({"succeeded", "failed", "cancelled", "timed_out", "lost", "rejected"})
_LOOK_SECONDS = 0.3
_LINES_AT_ONCE = 1_000
_LEVEL_STYLES = {"error": "red", "warning": "yellow", "debug": "dim"}


def attempt_of(client: Client, run: str, number: int | None) -> dict[str, Any]:
    """Return an attempt of a run, the newest where no number is given; raise `Invalid` where there is none."""
    attempts: list[dict[str, Any]] = client.get(f"/runs/{run}/attempts")
    chosen = attempts[-1:] if number is None else [each for each in attempts if each["number"] == number]
    if not chosen:
        raise Invalid("The run has no such attempt." if attempts else "The run has not been attempted yet.")
    return chosen[0]


def follow_log(client: Client, run_id: str, level: str = "debug", *, to: Console = out) -> None:
    """Print the logs of all attempts of a run, from a level on, until the run has ended."""
    positions: dict[str, int] = {}
    while True:
        run = client.get(f"/runs/{run_id}")
        for attempt in run["attempts"]:
            for line in lines_of(client, attempt["id"], positions.get(attempt["id"], 0), level):
                positions[attempt["id"]] = line["line"] + 1
                print_line(line, to=to)
        if run["state"] in ENDED:
            return
        time.sleep(_LOOK_SECONDS)


def lines_of(client: Client, attempt_id: str, first: int, level: str) -> Iterator[dict[str, Any]]:
    """Give the lines of an attempt's log that there are now, from one on."""
    position: int | None = first
    while position is not None:
        part = client.get(f"/attempts/{attempt_id}/log", first=position, limit=_LINES_AT_ONCE, level=level)
        yield from part["lines"]
        position = part["next_line"]


def print_line(line: dict[str, Any], *, to: Console = out) -> None:
    """Print one line of a log with its time."""
    style = _LEVEL_STYLES.get(line["level"])
    to.print(f"{line['time'][11:23]} {line['text']}", markup=False, style=style)
