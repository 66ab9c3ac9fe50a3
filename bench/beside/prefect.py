"""Control Room and Prefect 3.8.8 in one run: request to first statement, and trivial runs a second with 8 slots.

Rounds alternate between the two, so that both meet the same load of the machine.
"""

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "spine"))

from prefect_room import PrefectRoom, prefect_room, wait_for
from start_latency import BOT as FIRST_STATEMENT
from throughput import BOT as TRIVIAL
from throughput import run_many

from serving import ControlRoom, control_room, report

ROUNDS = 5
SLOTS = 8
PREFECT_RUNS = 16
OUR_RUNS = 400


def _prefect_latency(prefect: PrefectRoom, number: int) -> float:
    path = prefect.folder / f"began-{number}"
    asked = time.time()
    prefect.request(path)
    return wait_for(path) - asked


def _our_latency(room: ControlRoom, bot: str) -> float:
    asked = time.time()
    return float(room.wait(room.request(bot))["outputs"]["began"]) - asked


def _prefect_rate(prefect: PrefectRoom) -> float:
    before = prefect.completed()
    begun = time.monotonic()
    for number in range(PREFECT_RUNS):
        prefect.request(prefect.folder / f"many-{number}")
    while prefect.completed() < before + PREFECT_RUNS:
        if time.monotonic() - begun > 600:
            raise TimeoutError("Prefect did not complete its runs in ten minutes")
        time.sleep(0.1)
    return PREFECT_RUNS / (time.monotonic() - begun)


def main() -> None:
    with control_room(slots=SLOTS) as room, prefect_room(slots=SLOTS) as prefect:
        bot = room.publish(FIRST_STATEMENT, "first-statement")
        trivial = room.publish(TRIVIAL, "trivial")
        room.wait(room.request(bot))
        room.wait(room.request(trivial))
        _prefect_latency(prefect, 0)
        ours, theirs = [], []
        for number in range(1, ROUNDS + 1):
            ours.append(_our_latency(room, bot))
            theirs.append(_prefect_latency(prefect, number))
        our_rate = run_many(room, trivial, OUR_RUNS)
        their_rate = _prefect_rate(prefect)
    report(
        "beside Prefect 3.8.8 with a process worker",
        {
            "first statement, Control Room, median ms": round(statistics.median(ours) * 1000, 1),
            "first statement, Prefect, median ms": round(statistics.median(theirs) * 1000, 1),
            "Prefect takes so many times as long": round(statistics.median(theirs) / statistics.median(ours)),
            "trivial runs a second, Control Room": round(our_rate, 1),
            "trivial runs a second, Prefect": round(their_rate, 2),
            "Control Room does so many times as much": round(our_rate / their_rate),
        },
    )


if __name__ == "__main__":
    main()
