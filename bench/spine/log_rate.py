"""Lines a second from a bot's stdout to stored and readable, and the memory of server and runner meanwhile.

Give the number of lines: `log_rate.py 5000000` is the long form.
"""

import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from serving import control_room, report

BOT = """# /// script
# requires-python = ">=3.11"
# ///
import sys
from controlroom import bot
lines = int(bot.inputs["lines"])
write = sys.stdout.write
for number in range(lines):
    write(f"order {number:08d} reconciled with invoice, difference 0.00 EUR\\n")
"""
LINES = int(next((word for word in sys.argv[1:] if word.isdigit()), 500_000))


def main() -> None:
    with control_room(slots=2) as room:
        bot = room.publish(BOT, "talkative")
        room.wait(room.request(bot, lines=10))
        memory = {"server": [room.memory_mb(room.server)], "runner": [room.memory_mb(room.runners[0])]}
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(0.5):
                memory["server"].append(room.memory_mb(room.server))
                memory["runner"].append(room.memory_mb(room.runners[0]))

        watcher = threading.Thread(target=watch)
        watcher.start()
        begun = time.monotonic()
        run = room.wait(room.request(bot, lines=LINES), 3600)
        seconds = time.monotonic() - begun
        stop.set()
        watcher.join()
        last = room.client.get(
            f"/api/v1/attempts/{run['attempt_id']}/log", params={"first": LINES - 1}
        ).json()
        stored = run["attempts"][0]["log_lines"]
    report(
        "log, from bot to stored and readable",
        {
            "lines": LINES,
            "stored": stored,
            "last line": last["lines"][0]["text"] if last["lines"] else "missing",
            "lines a second": round(LINES / seconds),
            "server MB before, at most": f"{memory['server'][0]:.0f}, {max(memory['server']):.0f}",
            "runner MB before, at most": f"{memory['runner'][0]:.0f}, {max(memory['runner']):.0f}",
        },
    )


if __name__ == "__main__":
    main()
