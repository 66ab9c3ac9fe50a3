"""Process trees as psutil sees them on every system: measuring, halting, and ending what was left behind."""

import asyncio
import os
import time
from collections.abc import Callable, Iterable

import psutil

from controlroom.runner.platform.contract import TreeUse

_START_TIME_TOLERANCE_SECONDS = 0.05
"""Start times come from ticks of a hundredth of a second and are rounded on the way."""
_ROUNDS = 50
_HALT_ROUNDS = 200
_HALT_ROUND_SECONDS = 0.005
_ROUND_SECONDS = 0.2
_POLL_SECONDS = 0.005


def start_time(pid: int) -> float | None:
    """Return when a process started, by the system's own count, or None where it is gone."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def below(pid: int) -> list[psutil.Process]:
    """Return the living processes below one."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def measure(processes: Iterable[psutil.Process]) -> TreeUse:
    """Add up what processes use; those that are gone count nothing.

    Processor time counts what a process has inherited from the children it waited for (POSIX; elsewhere that is 0), so
    that a tree's time does not shrink when a child ends.
    """
    memory = count = 0
    seconds = 0.0
    for process in processes:
        try:
            with process.oneshot():
                resident, times = process.memory_info().rss, process.cpu_times()
        except psutil.Error:
            continue
        memory += resident
        seconds += times.user + times.system + times.children_user + times.children_system
        count += 1
    return TreeUse(memory, count, seconds)


def each(processes: Iterable[psutil.Process], action: Callable[[psutil.Process], None]) -> None:
    """Do something to each process that still lives."""
    for process in processes:
        try:
            action(process)
        except psutil.Error:
            continue


async def halt(tree: Callable[[], list[psutil.Process]]) -> None:
    """Halt a tree, asked for anew each round, since a process may fork before it stands; returns when all stand."""
    for _ in range(_HALT_ROUNDS):
        moving = [process for process in tree() if not _stands(process)]
        if not moving:
            return
        each(moving, psutil.Process.suspend)
        await asyncio.sleep(_HALT_ROUND_SECONDS)


def _stands(process: psutil.Process) -> bool:
    try:
        return process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True


def holders_of_pipes(inodes: Iterable[int]) -> list[psutil.Process]:
    """Return the processes but this one that hold one of these pipes open, where /proc tells."""
    wanted = {f"pipe:[{inode}]" for inode in inodes}
    found = []
    for process in psutil.process_iter():
        try:
            with os.scandir(f"/proc/{process.pid}/fd") as entries:
                if process.pid != os.getpid() and any(_target(entry.path) in wanted for entry in entries):
                    found.append(process)
        except OSError:
            continue
    return found


def _target(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def end(identities: dict[int, float], marker: tuple[str, str]) -> int:
    """Kill processes by pid and start time, all below or in a session of them, and all that carry the marker.

    Goes on until a round finds nothing more, since a process may fork while others are killed.
    """
    killed: set[tuple[int, float]] = set()
    for _ in range(_ROUNDS):
        found = _find(identities, marker)
        if not found:
            break
        each(found, psutil.Process.suspend)
        each(found, psutil.Process.kill)
        killed.update((process.pid, process.create_time()) for process in found)
        _await_end(found)
    return len(killed)


def _await_end(killed: list[psutil.Process]) -> None:
    """Wait a little for killed processes. Not by psutil's own wait, which would reap children that others wait for."""
    deadline = time.monotonic() + _ROUND_SECONDS
    while time.monotonic() < deadline and any(_runs(process) for process in killed):
        time.sleep(_POLL_SECONDS)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _find(identities: dict[int, float], marker: tuple[str, str]) -> list[psutil.Process]:
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if (
                _is_named(process, identities)
                or _carries(process, marker)
                or _in_session(process, identities)
            ):
                found[process.pid] = process
                found.update((child.pid, child) for child in process.children(recursive=True))
        except psutil.Error:
            continue
    return [process for process in found.values() if process.pid != os.getpid()]


def _is_named(process: psutil.Process, identities: dict[int, float]) -> bool:
    started = identities.get(process.pid)
    return started is not None and abs(process.create_time() - started) < _START_TIME_TOLERANCE_SECONDS


def _carries(process: psutil.Process, marker: tuple[str, str]) -> bool:
    if not marker[0]:
        return False
    try:
        return process.environ().get(marker[0]) == marker[1]
    except (psutil.Error, OSError):
        return False


def _in_session(process: psutil.Process, identities: dict[int, float]) -> bool:
    """Say whether a process belongs to the session that a named one led.

    The number of a session is not given out anew while a process is in it, so a member that is younger than the
    leader was is the leader's own.
    """
    getsid = getattr(os, "getsid", None)
    if getsid is None:
        return False
    try:
        started = identities.get(getsid(process.pid))
    except OSError:
        return False
    return started is not None and process.create_time() >= started - _START_TIME_TOLERANCE_SECONDS
