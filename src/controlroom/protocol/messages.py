"""The messages themselves.

A runner opens with `Hello` and gets `Welcome`; `Heartbeat` keeps its leases alive. What an attempt has to say travels
as `Report`: numbered from 1 within the attempt, applied by the server in that order exactly once, acknowledged with
`Ack`, and kept on the runner's disk until then. A server that gets a number it does not expect answers with the last
number it has, and the runner goes on from there.
"""

from enum import StrEnum
from typing import Any

import msgspec

from controlroom.protocol.plan import AttemptPlan
from controlroom.protocol.records import LogRecord


class Outcome(StrEnum):
    """How an attempt ended, as its runner saw it."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    LOST = "lost"
    """The runner itself was stopped and found the bot gone when it came back."""
    REJECTED = "rejected"
    """The attempt could not be started: its environment or package cannot be had here."""


class Usage(msgspec.Struct, frozen=True):
    """Resources that the bot's processes used: seconds of processor time, peak resident bytes, wall seconds."""

    cpu_seconds: float = 0
    peak_memory_bytes: int = 0
    wall_seconds: float = 0


class DeviceFacts(msgspec.Struct, frozen=True):
    """What a runner says of its machine."""

    hostname: str
    system: str
    """``linux``, ``darwin`` or ``windows``."""
    release: str
    machine: str
    python: str
    runner_version: str
    processors: int
    memory_bytes: int


# What an attempt reports, in order.


class Preparing(msgspec.Struct, frozen=True, tag="preparing"):
    """The environment is being built or the package fetched; ``step`` is one line for people."""

    step: str


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The bot's process runs. ``warm`` says how it was started, ``environment`` which one it uses."""

    time: float
    warm: bool
    environment: str
    pid: int
    note: str = ""
    """Why a bot was started cold, where that was not asked for."""


class Log(msgspec.Struct, frozen=True, tag="log"):
    """Some lines, oldest first."""

    records: tuple[LogRecord, ...]


class LogGap(msgspec.Struct, frozen=True, tag="log_gap"):
    """Lines that gave way while the Control Room was out of reach and the runner's buffer was full.

    It takes the number of a report that gave way. Of neighbours the last counts the lines of all and the others say 0.
    The times are those of the first and the last of the lines, Unix seconds, or None where damage hid them.
    """

    lines: int
    first_time: float | None = None
    last_time: float | None = None


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """How far the bot is by its own word; ``fraction`` between 0 and 1, or None where it cannot say."""

    fraction: float | None
    message: str = ""


class Output(msgspec.Struct, frozen=True, tag="output"):
    """A named output that the bot set; the last value counts."""

    name: str
    value: Any


class ArtifactStored(msgspec.Struct, frozen=True, tag="artifact"):
    """A file whose content was uploaded before by its hash and now belongs to the attempt."""

    name: str
    sha256: str
    size_bytes: int
    media_type: str


class Paused(msgspec.Struct, frozen=True, tag="paused"):
    """The bot's processes are halted."""

    time: float


class Resumed(msgspec.Struct, frozen=True, tag="resumed"):
    """The bot's processes go on."""

    time: float


class UsageSample(msgspec.Struct, frozen=True, tag="usage"):
    """What the bot's processes used in the ``seconds`` before ``time`` (Unix seconds). Since protocol version 2.

    ``processors`` is the mean over that time, 1.0 for one that was busy throughout; ``memory_bytes`` the most that
    was resident at once. A runner sends ever rarer ones the longer a bot runs: at most `MOST_SAMPLES` before it halves
    their number, so that the samples of any attempt are few.
    """

    time: float
    seconds: float
    processors: float
    memory_bytes: int


MOST_SAMPLES = 120
"""Samples of one attempt at one resolution; when they are full, two become one, and the next last twice as long."""


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The last report of an attempt. ``message`` is one sentence for people, empty on success."""

    time: float
    outcome: Outcome
    exit_code: int | None
    message: str = ""
    error_type: str = ""
    usage: Usage = Usage()


ReportBody = (
    Preparing
    | Started
    | Log
    | LogGap
    | Progress
    | Output
    | ArtifactStored
    | Paused
    | Resumed
    | UsageSample
    | Ended
)


# Runner to server.


class HeldAttempt(msgspec.Struct, frozen=True):
    """An attempt that a runner has and has not yet seen closed."""

    attempt_id: str
    token: str
    last_report: int
    """Number of the newest report that the runner has written for it."""
    running: bool


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """Opens a connection."""

    protocol_version: int
    facts: DeviceFacts
    slots: int
    labels: tuple[str, ...]
    held: tuple[HeldAttempt, ...]


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat"):
    """The runner lives, and so does each attempt it names. ``load`` is the machine's processor use, 0 to 1."""

    held: tuple[HeldAttempt, ...]
    load: float = 0
    memory_used_fraction: float = 0
    number: int = 0
    """Names this heartbeat in its answer; a runner counts up from 1."""


class Report(msgspec.Struct, frozen=True, tag="report"):
    """One numbered word on one attempt."""

    attempt_id: str
    token: str
    number: int
    body: ReportBody


class Goodbye(msgspec.Struct, frozen=True, tag="goodbye"):
    """The runner stops on purpose; it takes no new attempts."""

    reason: str


FromRunner = Hello | Heartbeat | Report | Goodbye


# Server to runner.


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """Accepts a connection and sets its pace."""

    device_id: str
    device_name: str
    server_time: float
    heartbeat_seconds: float
    lease_seconds: float


class StartAttempt(msgspec.Struct, frozen=True, tag="start"):
    """Do this. A runner that already has the attempt lets it be."""

    plan: AttemptPlan


class CancelAttempt(msgspec.Struct, frozen=True, tag="cancel"):
    """Ask the bot to end, and end its whole process tree after the grace time."""

    attempt_id: str
    grace_seconds: float
    outcome: Outcome = Outcome.CANCELLED
    reason: str = ""


class PauseAttempt(msgspec.Struct, frozen=True, tag="pause"):
    """Halt the bot's processes."""

    attempt_id: str


class ResumeAttempt(msgspec.Struct, frozen=True, tag="resume"):
    """Let the bot's processes go on."""

    attempt_id: str


class Ack(msgspec.Struct, frozen=True, tag="ack"):
    """All reports up to this number are safe with the server; ``closed`` means it wants no more of this attempt."""

    attempt_id: str
    number: int
    closed: bool = False


class StaleAttempt(msgspec.Struct, frozen=True, tag="stale"):
    """The attempt's token counts no more: stop the bot at once. Reports are still taken, and kept aside."""

    attempt_id: str
    reason: str


class LeaseRenewed(msgspec.Struct, frozen=True, tag="lease"):
    """These attempts live on for another lease from now: the answer to a heartbeat, or to a hello."""

    attempt_ids: tuple[str, ...]
    heartbeat: int = 0
    """The number of the heartbeat that is answered, 0 for the hello. What the runner may rely on is a lease from the
    moment it *sent* that heartbeat, however long the answer was on its way."""


class Drain(msgspec.Struct, frozen=True, tag="drain"):
    """Whether to take no new attempts (the server gives none meanwhile); for the runner's own display."""

    draining: bool


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The server cannot take what was sent; it closes the connection where ``fatal``."""

    reason: str
    fatal: bool = False


FromServer = (
    Welcome
    | StartAttempt
    | CancelAttempt
    | PauseAttempt
    | ResumeAttempt
    | Ack
    | StaleAttempt
    | LeaseRenewed
    | Drain
    | Refused
)
