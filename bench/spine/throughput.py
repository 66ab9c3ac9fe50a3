"""A thousand trivial runs on one runner of eight slots, each with its log and audit entries.

Four callers ask for them side by side, each waiting for its answer before it asks again. Where the processor time of a
run goes is shown by process.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from processor import processor_time

from serving import ControlRoom, control_room, report

BOT = """# /// script
# requires-python = ">=3.11"
# ///
print("done")
"""
RUNS = int(next((word for word in sys.argv[1:] if word.isdigit()), 1000))
CALLERS = 4


def run_many(room: ControlRoom, bot: str, count: int) -> float:
    """Ask for so many runs and return how many a second ended, from the first request to the last end."""
    begun = time.monotonic()
    with ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(lambda _: room.request(bot), range(count)))
    unended = {"filter": "state:queued,assigned,running", "limit": 1}
    while room.client.get("/api/v1/runs", params=unended).json()["items"]:
        time.sleep(0.05)
    return count / (time.monotonic() - begun)


def _succeeded(room: ControlRoom) -> int:
    count, cursor = 0, ""
    while cursor is not None:
        page = room.client.get(
            "/api/v1/runs", params={"filter": "state:succeeded", "limit": 500, "cursor": cursor}
        ).json()
        count += len(page["items"])
        cursor = page["next_cursor"]
    return count


def main() -> None:
    with control_room(slots=8) as room:
        bot = room.publish(BOT, "trivial")
        room.wait(room.request(bot))
        with processor_time(room) as spent:
            rate = run_many(room, bot, RUNS)
        good = _succeeded(room) - 1
    report(
        "trivial runs, 8 slots, SQLite",
        {
            "runs": RUNS,
            "succeeded": good,
            "runs a second": round(rate, 1),
            **{f"ms of processor a run: {name}": round(spent[name] / RUNS * 1000, 1) for name in spent},
        },
    )


if __name__ == "__main__":
    main()
