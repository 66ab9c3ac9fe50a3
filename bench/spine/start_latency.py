"""From the request of a run to the bot's first statement, on an idle system, each bot in a process of its own."""

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from serving import control_room, report

BOT = """# /// script
# requires-python = ">=3.11"
# ///
import time
began = time.time()
from controlroom import bot
bot.output("began", began)
"""
ROUNDS = 60


def main() -> None:
    with control_room(slots=2) as room:
        bot = room.publish(BOT, "first-statement")
        for _ in range(3):
            room.wait(room.request(bot))
        times = []
        for _ in range(ROUNDS):
            asked = time.time()
            run = room.wait(room.request(bot))
            times.append((run["outputs"]["began"] - asked) * 1000)
    times.sort()
    report(
        "request to first statement",
        {
            "rounds": ROUNDS,
            "median ms": round(statistics.median(times), 1),
            "p95 ms": round(times[int(len(times) * 0.95)], 1),
            "fastest ms": round(times[0], 1),
        },
    )


if __name__ == "__main__":
    main()
