"""The columns of runs as CSV."""

from controlroom.foundation.exporting import CsvColumn
from controlroom.runs.models import Run


def _seconds(run: Run) -> float | None:
    """Return how long a run took, to the millisecond; None before its end or where it never began."""
    if run.started_at is None or run.ended_at is None:
        return None
    return round((run.ended_at - run.started_at).total_seconds(), 3)


RUN_COLUMNS: tuple[CsvColumn[Run], ...] = (
    CsvColumn("id", lambda run: run.id),
    CsvColumn("bot", lambda run: run.bot_name),
    CsvColumn("version", lambda run: run.version_number),
    CsvColumn("task", lambda run: run.task),
    CsvColumn("state", lambda run: run.state),
    CsvColumn("device", lambda run: run.device_name),
    CsvColumn("requested_by", lambda run: run.requested_by),
    CsvColumn("requested_at", lambda run: run.created_at),
    CsvColumn("started_at", lambda run: run.started_at),
    CsvColumn("ended_at", lambda run: run.ended_at),
    CsvColumn("duration_seconds", _seconds),
    CsvColumn("attempts", lambda run: run.attempt_count),
    CsvColumn("priority", lambda run: run.priority),
    CsvColumn("labels", lambda run: run.labels),
    CsvColumn("reason", lambda run: run.reason),
    CsvColumn("message", lambda run: run.message),
    CsvColumn("inputs", lambda run: run.inputs),
    CsvColumn("outputs", lambda run: run.outputs),
)
