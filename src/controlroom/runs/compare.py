"""Compares a run with the last one of its bot that succeeded: what was different, down to the first line of the log."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.runs.input_files.binding import files_of_run, told
from controlroom.runs.log import LogQuery, read_log
from controlroom.runs.models import Attempt, Run
from controlroom.runs.schemas import ComparisonOut, DifferenceOut, LogDifferenceOut, LogLineOut, RunOut
from controlroom.runs.states import State

_LINES_AT_ONCE = 2_000
MOST_LINES = 200_000
"""Lines of both logs that are looked at; what differs only later is said to be unknown."""
_PASSING = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)?"  # moments
    r"|\b\d\d:\d\d:\d\d([.,]\d+)?\b"  # times of day
    r"|\b[a-z]{2,5}_[0-9a-z]{26}\b"  # ids of this Control Room
    r"|\b\d+([.,]\d+)?\s?(ms|s|seconds|milliseconds)\b"  # durations
)


async def last_success(session: AsyncSession, run: Run) -> Run | None:
    """Return the last run of the same bot and task that succeeded before this one was asked for, or ever."""
    query = (
        select(Run)
        .where(Run.bot_id == run.bot_id, Run.task == run.task, Run.state == State.SUCCEEDED, Run.id != run.id)
        .order_by(Run.created_at.desc(), Run.id.desc())
        .limit(1)
    )
    before = await session.scalar(query.where(Run.created_at < run.created_at))
    return before if before is not None else await session.scalar(query)


async def compare_runs(session: AsyncSession, run: Run, other: Run) -> ComparisonOut:
    """Compare a run with another, by the newest attempt of each."""
    ours, theirs = await _newest(session, run), await _newest(session, other)
    facts = {
        "state": (other.state.value, run.state.value),
        "version": (other.version_number, run.version_number),
        "device": (other.device_name, run.device_name),
        "environment": (theirs.environment if theirs else None, ours.environment if ours else None),
        "attempts": (other.attempt_count, run.attempt_count),
        "duration_seconds": (_seconds(other), _seconds(run)),
        "labels": (other.labels, run.labels),
        "error_type": (theirs.error_type if theirs else "", ours.error_type if ours else ""),
    }
    return ComparisonOut(
        run=RunOut.model_validate(run),
        other=RunOut.model_validate(other),
        facts=[
            DifferenceOut(name=name, before=before, after=after, differs=before != after)
            for name, (before, after) in facts.items()
        ],
        inputs=_differences(await _told_inputs(session, other), await _told_inputs(session, run)),
        outputs=_differences(other.outputs, run.outputs),
        log=await _first_difference(session, theirs, ours) if ours and theirs else None,
    )


async def _told_inputs(session: AsyncSession, run: Run) -> Mapping[str, Any]:
    """Return a run's inputs with what files are in place of their ids: the same content may have been uploaded twice."""
    facts = {
        file.id: {"file": file.name, "size_bytes": file.size_bytes, "sha256": file.sha256}
        for _, file in await files_of_run(session, run)
    }
    return told(run.inputs, facts) if facts else run.inputs


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[DifferenceOut]:
    return [
        DifferenceOut(
            name=name,
            before=before.get(name),
            after=after.get(name),
            differs=(name in before) is not (name in after) or before.get(name) != after.get(name),
        )
        for name in dict.fromkeys([*before, *after])
    ]


def _seconds(run: Run) -> float | None:
    if run.started_at is None or run.ended_at is None:
        return None
    return round((run.ended_at - run.started_at).total_seconds(), 3)


async def _newest(session: AsyncSession, run: Run) -> Attempt | None:
    return await session.get(Attempt, run.attempt_id) if run.attempt_id else None


async def _first_difference(session: AsyncSession, before: Attempt, after: Attempt) -> LogDifferenceOut:
    """Return the first line at which two logs part; times, durations and ids that pass by do not count.

    Nor do the runner's own words, such as those of an environment that only the first run had to build.
    """
    old, new = _Words(session, before), _Words(session, after)
    looked_at = 0
    while looked_at < MOST_LINES:
        old_lines, new_lines = await old.next(_LINES_AT_ONCE), await new.next(_LINES_AT_ONCE)
        offset = first_parting(old_lines, new_lines)
        if offset is not None:
            one, other = (lines[offset] if offset < len(lines) else None for lines in (old_lines, new_lines))
            shown = other or one
            return LogDifferenceOut(
                line=shown.line if shown else None, before=one, after=other, looked_at=looked_at + offset
            )
        looked_at += len(old_lines)
        if len(old_lines) < _LINES_AT_ONCE:
            break
    return LogDifferenceOut(line=None, looked_at=looked_at)


class _Words:
    """What a bot itself wrote, and what the runner said of its troubles, line after line."""

    def __init__(self, session: AsyncSession, attempt: Attempt) -> None:
        self._session = session
        self._attempt = attempt
        self._next: int | None = 0
        self._read: list[LogLineOut] = []

    async def next(self, count: int) -> list[LogLineOut]:
        """Return the next lines, fewer only at the end."""
        while len(self._read) < count and self._next is not None:
            part = await read_log(self._session, self._attempt, LogQuery(first=self._next, limit=count))
            self._read += [
                line for line in part.lines if line.stream != "sys" or line.level in ("warning", "error")
            ]
            self._next = part.next_line if part.lines else None
        taken, self._read = self._read[:count], self._read[count:]
        return taken


def first_parting(before: Sequence[LogLineOut], after: Sequence[LogLineOut]) -> int | None:
    """Return where two stretches part, the shorter one's end included; None where they are alike."""
    for offset, (old, new) in enumerate(zip(before, after, strict=False)):
        if (old.level, _settled(old.text)) != (new.level, _settled(new.text)):
            return offset
    return None if len(before) == len(after) else min(len(before), len(after))


def _settled(text: str) -> str:
    return _PASSING.sub("~", text)
