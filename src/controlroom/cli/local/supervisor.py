"""Starts the server and the runner as processes of their own, watches them, starts them anew, and ends them in order."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from controlroom.cli.output import err

_STEADY_SECONDS = 30
"""A process that ran this long counts as having started well; its next fall is not held against it."""
_LONGEST_PAUSE_SECONDS = 30.0
_STOP_SECONDS = 25
_LOOK_SECONDS = 0.2


@dataclass(slots=True)
class Watched:
    """One process that is kept running; what it says goes to a file."""

    name: str
    arguments: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    falls: int = 0
    next_start_at: float = 0.0

    def start(self) -> None:
        """Start the process, in a group of its own so that Ctrl-C reaches only the supervisor."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  # our own program with arguments of our own
                [sys.executable, "-m", "controlroom.cli", *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        self.started_at = time.monotonic()

    def is_running(self) -> bool:
        """Say whether the process lives."""
        return self.process is not None and self.process.poll() is None

    def look_after(self) -> None:
        """Start the process anew where it has fallen, after a pause that grows with each fall."""
        now = time.monotonic()
        if self.process is None or self.is_running():
            return
        if self.next_start_at == 0.0:
            self.falls = 1 if now - self.started_at > _STEADY_SECONDS else self.falls + 1
            pause = min(_LONGEST_PAUSE_SECONDS, 0.5 * 2 ** (self.falls - 1))
            self.next_start_at = now + pause
            err.print(
                f"The {self.name} ended with code {self.process.returncode}; starting it again in {pause:g} s. See {self.log}.",
                markup=False,
            )
        elif now >= self.next_start_at:
            self.next_start_at = 0.0
            self.start()

    def stop(self) -> None:
        """Ask the process to end, and end it after a while."""
        if self.process is None or not self.is_running():
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Supervisor:
    """Keeps processes running until a signal comes, then ends them, the last one started first."""

    def __init__(self) -> None:
        self._watched: list[Watched] = []
        self._stopping = threading.Event()

    def add(self, watched: Watched) -> Watched:
        """Start a process and watch it from now on."""
        watched.start()
        self._watched.append(watched)
        return watched

    def listen_to_signals(self) -> None:
        """Stop at SIGINT and SIGTERM; where something else waits meanwhile, it is interrupted."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)

    def _stop(self, _number: int, _frame: object) -> None:
        if not self._stopping.is_set():
            self._stopping.set()
            raise KeyboardInterrupt

    def watch(self) -> None:
        """Look after the processes until a signal comes."""
        while not self._stopping.wait(_LOOK_SECONDS):
            for watched in self._watched:
                watched.look_after()

    def stop_all(self) -> None:
        """End every process, the last one started first, so that the runner can still deliver its results."""
        self._stopping.set()
        for watched in reversed(self._watched):
            watched.stop()
