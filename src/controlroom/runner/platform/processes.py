"""Process trees as psutil sees them on every system: measuring, halting, and ending what was left behind."""

import os
from collections.abc import Callable, Iterable

import psutil

from controlroom.runner.platform.contract import TreeUse

_START_TIME_TOLERANCE_SECONDS = 0.05
"""Start times come from ticks of a hundredth of a second and are rounded on the way."""
_ROUNDS = 50
_ROUND_SECONDS = 0.2


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
    """Add up what processes use; those that are gone count nothing."""
    memory = count = 0
    for process in processes:
        try:
            memory += process.memory_info().rss
            count += 1
        except psutil.Error:
            continue
    return TreeUse(memory, count)


def each(processes: Iterable[psutil.Process], action: Callable[[psutil.Process], None]) -> None:
    """Do something to each process that still lives."""
    for process in processes:
        try:
            action(process)
        except psutil.Error:
            continue


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
        psutil.wait_procs(found, timeout=_ROUND_SECONDS)
    return len(killed)


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
