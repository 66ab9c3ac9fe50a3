"""Processor time by process while a benchmark runs: server, runner, client, and all that the runner starts.

The last is what a control group (cgroup v2, Linux, as root) counts for the runner and everything below it, less the
runner's own; bots' short-lived processes are in no other account. Where no group can be made it is left out.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from serving import ControlRoom

BOTS = "fork server, keepers and bots"


@contextmanager
def processor_time(room: ControlRoom) -> Iterator[dict[str, float]]:
    """Give a table that holds, after the block, the seconds of processor time that each spent within it."""
    runner = room.runners[0].pid
    spent: dict[str, float] = {}
    with _group(runner) as group:
        before = _seconds(room.server.pid, runner, group)
        yield spent
        after = _seconds(room.server.pid, runner, group)
    spent.update({name: after[name] - before[name] for name in before})


def _seconds(server: int, runner: int, group: Path | None) -> dict[str, float]:
    found = {"server": _own(server), "runner": _own(runner)}
    if group is not None:
        found[BOTS] = _usage(group) - found["runner"]
    found["the measuring client"] = _own(os.getpid())
    return found


def _own(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _usage(group: Path) -> float:
    words = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    return int(words["usage_usec"]) / 1e6


@contextmanager
def _group(runner: int) -> Iterator[Path | None]:
    """Put the runner and all below it into a control group of their own for the block."""
    root = _groups_root()
    group = None if root is None else root / f"controlroom-bench-{os.getpid()}"
    members = [runner, *(child.pid for child in psutil.Process(runner).children(recursive=True))]
    try:
        if group is not None:
            group.mkdir()
            _move(members, group)
    except OSError:
        group = None
    try:
        yield group
    finally:
        if root is not None and group is not None:
            _move([int(word) for word in (group / "cgroup.procs").read_text().split()], root)
            with suppress(OSError):
                group.rmdir()


def _move(members: list[int], group: Path) -> None:
    for pid in members:
        with suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(str(pid))


def _groups_root() -> Path | None:
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return None
    return next((Path(words[1]) for words in mounts if words[2] == "cgroup2"), None)
