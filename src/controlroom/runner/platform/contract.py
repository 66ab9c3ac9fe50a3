"""What the runner asks of an operating system: start a process and watch it, find what runs below it, lock files."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from controlroom.foundation.errors import ControlRoomError


class CannotStart(ControlRoomError):
    """The operating system did not start the process; the text says why."""

    status = 500
    code = "cannot_start"
    title = "The bot's process could not be started"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOrder:
    """One process to start.

    ``command`` starts it cold. Where ``script`` is given, a warm interpreter of ``environment`` may run that instead
    (the form is `warm.inside.launch.run`'s). ``refusal`` says why a warm start is out of the question, empty where it
    is wanted. A polite signal goes to the whole process group where ``signal_group`` says so.
    """

    command: tuple[str, ...]
    variables: dict[str, str]
    folder: Path
    channel_name: str
    """Unique name for the channel where it needs one (Windows)."""
    environment: Path | None = None
    script: dict[str, object] | None = None
    refusal: str = ""
    signal_group: bool = False
    open_files: int = 0
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ExitFacts:
    """How a process tree ended. ``exit_code`` is negative for a signal, None where nobody saw the end."""

    exit_code: int | None
    cpu_seconds: float = 0
    peak_memory_bytes: int = 0
    """Largest resident memory of a single process; the caller's samples know of the tree."""
    left_behind: tuple[str, ...] = ()
    """Names of processes that outlived the main one and were ended."""


@dataclass(frozen=True, slots=True)
class TreeUse:
    """What a process tree uses at a moment: resident bytes of all its processes, and their number.

    ``cpu_seconds`` is the processor time of the tree so far, as far as it can be seen: it may stand still or go back
    a little where a process ended that nobody waited for.
    """

    memory_bytes: int = 0
    processes: int = 0
    cpu_seconds: float = 0


class ByteSource(Protocol):
    """The reading end of a pipe."""

    async def read(self) -> bytes:
        """Return what is there, waiting for at least one byte; empty at the end."""
        ...

    def close(self) -> None:
        """Stop reading; a `read` that waits returns empty."""
        ...


class BotProcess(Protocol):
    """A started process and everything it starts."""

    pid: int
    warm: bool
    note: str
    """Why it was started cold though warm was wanted."""
    standard_output: ByteSource
    standard_error: ByteSource
    channel: ByteSource

    async def wait(self) -> ExitFacts:
        """Return once the main process has ended and the rest of its tree with it. May be called again."""
        ...

    async def terminate(self) -> None:
        """Ask politely; returns when the signal is sent, and does nothing once the process has ended."""
        ...

    async def kill(self) -> None:
        """End the whole tree; returns when it is gone."""
        ...

    async def pause(self) -> None:
        """Halt every process of the tree; returns when they stand."""
        ...

    def resume(self) -> None:
        """Let every process of the tree go on."""
        ...

    def use(self) -> TreeUse:
        """Measure the tree; all zero where it is gone."""
        ...

    def identities(self) -> dict[int, float]:
        """Return the pids by which `end_leftovers` finds the tree later, with their start times."""
        ...

    async def close(self) -> None:
        """Release what is held; the tree must have ended."""
        ...


class Launcher(Protocol):
    """Starts processes, warm where that can be."""

    async def start(self, order: ProcessOrder) -> BotProcess:
        """Start a process; raise `CannotStart`."""
        ...

    async def prestart(self, environments: Sequence[Path]) -> None:
        """Make warm interpreters ready for these environments, the first the most wanted."""
        ...

    async def release(self, environment: Path) -> bool:
        """End the idle warm interpreter of an environment that is to go; False where it is in use."""
        ...


class FileLock(Protocol):
    """A lock that is held; the operating system frees it when its owner dies."""

    def release(self) -> None:
        """Free it; may be called again."""
        ...


@dataclass(frozen=True, slots=True)
class EnvironmentLayout:
    """Where things are inside a virtual environment, relative to its folder."""

    python: Path
    scripts: Path
    packages: Path = field(default=Path())
    """Only where it does not depend on the Python version."""


class Platform(Protocol):
    """One operating system."""

    name: str
    """``linux``, ``darwin`` or ``windows``, as in environment files and `DeviceFacts`."""
    layout: EnvironmentLayout
    inherited_variables: frozenset[str]
    """Names that a bot inherits from the runner; never secrets."""

    def open_launcher(self, state_folder: Path, *, warm: bool) -> AbstractAsyncContextManager[Launcher]:
        """Open what starts processes; on leaving, its helper processes end."""
        ...

    def lock_file(self, path: Path, *, shared: bool) -> FileLock | None:
        """Lock a file, made where missing, without waiting; None where another holder is in the way."""
        ...

    def end_processes(self, identities: dict[int, float], marker: tuple[str, str]) -> int:
        """Kill processes by pid and start time, all below them, and all whose environment has the marker.

        Blocking; returns how many were killed. The caller's own process is never among them.
        """
        ...
