"""Server time of every list page and the dashboard at 1,000,000 runs, 10,000 devices and 100,000 audit entries.

The time is from a request on a kept connection over loopback to the end of its answer, so a little more than the server's
own; beside it stands what the server computed for one, which does not depend on what else the machine does. Sizes may be
given: runs, devices, entries.
"""

import statistics
import sys
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "spine"))

from stored import Sizes, fill, made_id

from serving import ControlRoom, control_room, report

ROUNDS = 20
_FAILED = "state:failed,timed_out,lost,rejected"
PAGES = {
    "dashboard": "/dashboard",
    "dashboard, a fortnight": "/dashboard?period=fortnight",
    "activity": "/activity",
    "activity, failed": f"/activity?filter={_FAILED}",
    "activity, running": "/activity?filter=state:assigned,running,paused",
    "activity, oldest first": "/activity?sort=created",
    "activity, one bot": "/activity?filter=bot:invoices-000",
    "activity, one bot's failed": f"/activity?filter=bot:invoices-000 {_FAILED}",
    "activity, one person's": "/activity?filter=by:alice",
    "activity, a word that many have": "/activity?filter=invoices",
    "activity, a word that few have": "/activity?filter=portal",
    "activity, a word that none has": "/activity?filter=zebra",
    "activity, a span of time": "/activity?filter=created>=2026-01-01 created<2026-06-01",
    "bots": "/bots",
    "one bot": f"/bots/{made_id('bot', 7)}",
    "devices": "/devices",
    "devices, by label": "/devices?filter=label:site-7",
    "devices, missing": "/devices?filter=connected:no mode:active",
    "devices, a word": "/devices?filter=099",
    "one device": f"/devices/{made_id('dev', 7)}",
    "pools": "/pools",
    "audit log": "/audit",
    "audit log, one action": "/audit?filter=action:device.edited",
    "audit log, kinds of action": "/audit?filter=action:session.*",
    "audit log, refused": "/audit?filter=outcome:refused",
    "audit log, one actor": "/audit?filter=actor:person-7",
    "audit log, a word that none has": "/audit?filter=zebra",
    "users": "/administration/users",
    "API, runs": "/api/v1/runs",
    "API, devices": "/api/v1/devices",
}


def main() -> None:
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    sizes = Sizes(*numbers)
    begun = time.monotonic()
    with control_room(runners=0, prepare=lambda data: fill(data / "controlroom.db", sizes)) as room:
        filled = time.monotonic() - begun
        figures = measure(room)
    report("Lists", {"stored in": f"{filled:.0f} s", **figures})


def measure(room: ControlRoom) -> dict[str, str]:
    """Return each page's times and what the server computed for it, in milliseconds."""
    return {name: _measure(room, path) for name, path in PAGES.items()}


def _measure(room: ControlRoom, path: str) -> str:
    server = psutil.Process(room.server.pid)
    taken: list[float] = []
    before = 0.0
    for turn in range(ROUNDS + 1):
        if turn == 1:  # the first one warms the database's cache
            before = sum(server.cpu_times()[:2])
        begun = time.perf_counter()
        answer = room.client.get(path, headers={"Accept": "text/html"})
        if turn:
            taken.append((time.perf_counter() - begun) * 1000)
        answer.raise_for_status()
    computed = (sum(server.cpu_times()[:2]) - before) * 1000 / ROUNDS
    taken.sort()
    p95 = taken[int(len(taken) * 0.95)]
    return f"median {statistics.median(taken):.1f} ms, p95 {p95:.1f} ms, computed {computed:.1f} ms"


if __name__ == "__main__":
    main()
