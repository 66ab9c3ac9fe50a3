"""A thousand trivial runs on one runner of eight slots, each with its log and audit entries."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from serving import control_room, report

BOT = """# /// script
# requires-python = ">=3.11"
# ///
print("done")
"""
RUNS = int(next((word for word in sys.argv[1:] if word.isdigit()), 1000))


def main() -> None:
    with control_room(slots=8) as room:
        bot = room.publish(BOT, "trivial")
        room.wait(room.request(bot))
        begun = time.monotonic()
        ids = [room.request(bot) for _ in range(RUNS)]
        requested = time.monotonic()
        room.wait(ids[-1], 600)
        while room.client.get(
            "/api/v1/runs", params={"filter": "state:queued,assigned,running", "limit": 1}
        ).json()["items"]:
            time.sleep(0.02)
        seconds = time.monotonic() - begun
        good = 0
        cursor = ""
        while cursor is not None:
            page = room.client.get(
                "/api/v1/runs", params={"filter": "state:succeeded", "limit": 500, "cursor": cursor}
            ).json()
            good += len(page["items"])
            cursor = page["next_cursor"]
    report(
        "trivial runs, 8 slots, SQLite",
        {
            "runs": RUNS,
            "succeeded": good - 1,
            "requests a second": round(RUNS / (requested - begun), 1),
            "runs a second": round(RUNS / seconds, 1),
        },
    )


if __name__ == "__main__":
    main()
