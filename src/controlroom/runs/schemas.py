"""What the API takes and gives about runs."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from controlroom.foundation.http import Schema
from controlroom.runs.models import HistoryKind
from controlroom.runs.states import State

Reference = Annotated[str, StringConstraints(min_length=1, max_length=120)]
LevelName = Literal["debug", "info", "warning", "error"]
Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._=:/-]{0,62}$")]

LONGEST_TIMEOUT_SECONDS = 30 * 86_400


class RetryIn(Schema):
    """When the run is tried again."""

    on: Literal["never", "loss", "failure"] = Field(
        "never", description="`loss` of the device, or any `failure` too."
    )
    count: int = Field(3, ge=0, le=100, description="Most further attempts.")
    backoff_seconds: float = Field(
        5, ge=0, le=86_400, description="Wait before the first further attempt; doubles each time."
    )
    backoff_limit_seconds: float = Field(3600, ge=0, le=86_400)


class RunIn(Schema):
    """A request for a run."""

    bot: Reference = Field(description="Id or name of the bot.")
    version: int | None = Field(
        None, ge=1, le=2**31 - 1, description="Number of a version; the current one where absent."
    )
    task: Annotated[str, StringConstraints(max_length=200)] = Field(
        "", description="Task of the package; its default where empty."
    )
    inputs: dict[str, Any] = Field(
        default_factory=dict, description="Checked against the version's JSON Schema."
    )
    device: Reference | None = Field(None, description="Id or name of the one device to run on.")
    pool: Reference | None = Field(None, description="Id or name of a device pool.")
    labels: list[Label] = Field(
        default_factory=list,
        max_length=20,
        description="Labels that the device must have, besides the bot's own.",
    )
    priority: int = Field(50, ge=0, le=100, description="Higher goes first.")
    timeout_seconds: float | None = Field(
        None, gt=0, le=LONGEST_TIMEOUT_SECONDS, description="The bot's own where absent."
    )
    retry: RetryIn | None = Field(None, description="The bot's own where absent.")
    reason: Annotated[str, StringConstraints(max_length=500)] = Field(
        "", description="Why, for whoever reads the history."
    )
    idempotency_key: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        None, description="The same key with the same request gives the same run; kept for ever, per user."
    )


class RepeatIn(Schema):
    """Run again, with the same inputs or others."""

    inputs: dict[str, Any] | None = None
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class CancelIn(Schema):
    """Why a run is cancelled."""

    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class BulkIn(Schema):
    """Runs that one action is for: those named, or those that a filter finds."""

    ids: list[Reference] = Field(default_factory=list, max_length=500)
    filter: Annotated[str, StringConstraints(max_length=1000)] | None = Field(
        None, description="In place of ids: the newest 1,000 that this finds; an empty text finds all."
    )
    reason: Annotated[str, StringConstraints(max_length=500)] = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.ids) is (self.filter is not None):
            raise ValueError("Give ids or a filter, and not both.")
        return self


class BulkSummary(Schema):
    """What a bulk action would do, before it is done."""

    words: str = Field(examples=["Cancel 3 running, 1 queued; 2 have ended and stay."])
    changes: int = Field(description="How many runs it would change or repeat.")
    stays: int = Field(description="How many it would leave as they are.")
    by_state: dict[State, int] = Field(description="The selected runs by state.")
    missing: list[str] = Field(description="Ids that name no run.")
    more: bool = Field(description="True where the filter finds more runs than are taken at once.")


class BulkResult(Schema):
    """What became of one run of a bulk action."""

    id: str
    done: bool
    message: str = ""


class AttemptOut(Schema):
    """One try of a run on one device."""

    id: str
    run_id: str
    number: int
    device_id: str
    device_name: str
    state: State
    assigned_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    lease_expires_at: datetime
    log_lines: int
    first_error_line: int | None
    step: str
    progress: float | None
    progress_message: str
    warm: bool | None
    start_note: str
    environment: str
    exit_code: int | None
    message: str
    error_type: str
    outputs: dict[str, Any]
    usage: dict[str, Any]


class UsageSampleOut(Schema):
    """What an attempt's processes used in the ``seconds`` before ``time``."""

    time: datetime
    seconds: float
    processors: float = Field(description="Processors kept busy on average; 1.0 is one of them throughout.")
    memory_bytes: int = Field(description="The most resident memory of all its processes at once.")


class UsageOut(Schema):
    """What an attempt's processes used over time: at most 120 samples, longer ones the longer it ran."""

    attempt_id: str
    samples: list[UsageSampleOut]
    peak_processors: float
    peak_memory_bytes: int


class RunOut(Schema):
    """A run."""

    id: str
    bot_id: str
    bot_name: str
    version_id: str
    version_number: int
    task: str
    state: State
    state_since: datetime
    priority: int
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    requested_by_id: str
    requested_by: str
    reason: str
    target_device_id: str | None
    target_pool_id: str | None
    labels: list[str]
    timeout_seconds: float
    retry: dict[str, Any]
    attempt_count: int
    attempt_id: str | None
    device_id: str | None
    device_name: str | None
    created_at: datetime
    not_before: datetime
    started_at: datetime | None
    ended_at: datetime | None
    cancel_requested_at: datetime | None
    cancel_requested_by: str
    message: str
    repeats_run_id: str | None


class HistoryOut(Schema):
    """One happening in a run's life."""

    time: datetime
    attempt_id: str | None
    kind: HistoryKind
    state: State | None
    message: str
    detail: dict[str, Any]


class RunDetailOut(RunOut):
    """A run with all that is known of it, and why it waits if it does."""

    attempts: list[AttemptOut]
    history: list[HistoryOut]
    waiting_because: str = ""


class ArtifactOut(Schema):
    """A file that an attempt left."""

    id: str
    run_id: str
    attempt_id: str
    name: str
    sha256: str
    size_bytes: int
    media_type: str
    created_at: datetime


class LogLineOut(Schema):
    """One line of a log; lines are counted from 0."""

    line: int
    time: datetime
    stream: Literal["out", "err", "log", "sys"]
    level: LevelName
    text: str
    fields: dict[str, Any] | None = None


class LogOut(Schema):
    """A stretch of a log. ``next_line`` is where to go on reading, or null at the end of what is known."""

    attempt_id: str
    lines: list[LogLineOut]
    total_lines: int
    next_line: int | None
    complete: bool = Field(description="True once the attempt has ended and nothing will be added.")


class DifferenceOut(Schema):
    """One thing of two runs; ``before`` is of the run that is compared with."""

    name: str
    before: Any
    after: Any
    differs: bool


class LogDifferenceOut(Schema):
    """Where two logs part: ``line`` of the run's, or null where they do not among the ``looked_at`` lines.

    A side that had ended is null. What the runner itself said, such as of an environment it built, does not count.
    """

    line: int | None
    before: LogLineOut | None = None
    after: LogLineOut | None = None
    looked_at: int


class ComparisonOut(Schema):
    """A run beside another of the same bot; ``log`` is null where one of them was never attempted."""

    run: RunOut
    other: RunOut
    facts: list[DifferenceOut]
    inputs: list[DifferenceOut]
    outputs: list[DifferenceOut]
    log: LogDifferenceOut | None
