"""Server time of every page, and of the API's lists, at 1,000,000 runs, 10,000 devices and 100,000 audit entries.

The pages are those of the routes, so that none is forgotten; beside them stand filters that people use, also those that
find nothing, and the Network pages for a site of five nodes and for one of a thousand runners. The time is from a request
on a kept connection over loopback to the end of its answer, so a little more than the server's own; beside it stands what
the server and its database computed for one, which does not depend on what else the machine does.

Sizes may be given: runs, devices, entries. ``--postgresql`` measures on PostgreSQL, ``--keep FOLDER`` keeps the filled
database there and takes it up again within a day, ``--only WORD`` measures pages whose name holds a word, ``--rounds N``
asks for each so often.
"""

import os
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).parent.parent / "spine"))
sys.path.insert(0, str(Path(__file__).parent))

from addresses import LARGE_SITE, SMALL_SITE, Address, addresses, declare, network_addresses
from large import Options, large_room

from serving import ControlRoom, report

GOAL_MS = 50
IDLE_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Figures:
    """What one address took, in milliseconds."""

    median: float
    p95: float
    computed: float
    status: int

    def __str__(self) -> str:
        over = "  OVER" if self.p95 > GOAL_MS or self.computed > GOAL_MS else ""
        answer = "" if self.status == 200 else f", answered {self.status}"
        return f"median {self.median:.1f} ms, p95 {self.p95:.1f} ms, computed {self.computed:.1f} ms{answer}{over}"


def main() -> None:
    options = Options.given()
    begun = time.monotonic()
    with large_room(options) as room:
        filled = time.monotonic() - begun
        processes = _processes(room)
        idle = _computed(processes)
        time.sleep(IDLE_SECONDS)
        idle = (_computed(processes) - idle) / IDLE_SECONDS
        figures = dict(_measured(room, options, idle))
        load = os.getloadavg()
    if not figures:
        raise SystemExit(f"No page has {options.only!r} in its name.")
    worst = max(figures.values(), key=lambda each: each.computed)
    report(
        f"Pages on {'PostgreSQL' if options.postgresql else 'SQLite'}",
        {
            "ready after": f"{filled:.0f} s",
            "load at the end": f"{load[0]:.1f} on {os.cpu_count()} cores",
            "computed by the idle server": f"{idle * 100:.1f} % of a core",
            **{name: str(each) for name, each in figures.items()},
            "pages": len(figures),
            "p95 over the goal": sum(each.p95 > GOAL_MS for each in figures.values()),
            "computed over the goal": sum(each.computed > GOAL_MS for each in figures.values()),
            "most computed": f"{worst.computed:.1f} ms",
        },
    )


def _measured(room: ControlRoom, options: Options, idle: float) -> Iterator[tuple[str, Figures]]:
    for site, name in ((SMALL_SITE, "five nodes"), (LARGE_SITE, "a thousand runners")):
        report_ids = declare(room, site)
        for address in network_addresses(name, report_ids):
            yield from _measure(room, address, options, idle)
    for address in addresses(room):
        yield from _measure(room, address, options, idle)


def _measure(
    room: ControlRoom, address: Address, options: Options, idle: float
) -> Iterator[tuple[str, Figures]]:
    if options.only not in address.name:
        return
    processes = _processes(room)
    status = _answer(room, address)  # the first fills the database's cache
    before, begun = _computed(processes), time.perf_counter()
    taken: list[float] = []
    for _ in range(options.rounds):
        asked = time.perf_counter()
        _answer(room, address)
        taken.append((time.perf_counter() - asked) * 1000)
    lasted = time.perf_counter() - begun
    computed = max(0.0, _computed(processes) - before - idle * lasted) * 1000 / options.rounds
    taken.sort()
    p95 = taken[min(len(taken) - 1, int(len(taken) * 0.95))]
    yield address.name, Figures(statistics.median(taken), p95, computed, status)


def _answer(room: ControlRoom, address: Address) -> int:
    """Ask once and return the answer's status; the server closes a connection that was idle for long, maybe just now."""
    try:
        return room.client.get(address.path, headers=address.headers).status_code
    except httpx.ReadError:
        return room.client.get(address.path, headers=address.headers).status_code


def _processes(room: ControlRoom) -> list[psutil.Process]:
    """Return the server's process and those of its PostgreSQL server, where it has one."""
    found = [psutil.Process(room.server.pid)]
    for child in psutil.Process().children(recursive=True):
        if child.name() == "postgres":
            found.append(child)
    return found


def _computed(processes: list[psutil.Process]) -> float:
    """Return the seconds of processor time that processes have used, and those they started that ended: parallel workers."""
    total = 0.0
    for process in processes:
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total


if __name__ == "__main__":
    main()
