"""The Activity page and the list of runs at 100,000 stored runs: time from request to the whole answer, over loopback."""

import asyncio
import random
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from serving import ControlRoom, control_room, report

RUNS = int(next((word for word in sys.argv[1:] if word.isdigit()), 100_000))
ROUNDS = 60
BOT = '# /// script\n# requires-python = ">=3.11"\n# ///\nprint("done")\n'
PAGES = {
    "first page": "/activity",
    "failed only": "/activity?filter=state:failed",
    "one bot, by words": "/activity?filter=bot:stored created>=2026-01-01",
    "API, first page": "/api/v1/runs",
}


def main() -> None:
    with control_room() as room:
        bot = room.publish(BOT, "stored")
        asyncio.run(fill(room.folder / "data" / "controlroom.db", bot))
        figures = {"runs": RUNS, **{name: measure(room, path) for name, path in PAGES.items()}}
    report("Activity", figures)


def measure(room: ControlRoom, path: str) -> str:
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        room.client.get(path).raise_for_status()
        times.append((time.perf_counter() - begun) * 1000)
    times.sort()
    return f"median {statistics.median(times):.1f} ms, p95 {times[int(len(times) * 0.95)]:.1f} ms"


async def fill(path: Path, bot_id: str) -> None:
    """Store runs of all states, spread over a year, straight into the database."""
    from sqlalchemy import insert, select

    from controlroom.bots.models import BotVersion
    from controlroom.foundation.database import Database
    from controlroom.foundation.ids import new_id
    from controlroom.runs.models import Run
    from controlroom.runs.states import ENDED

    chance, now = random.Random(1), datetime.now(UTC)
    database = Database(f"sqlite+aiosqlite:///{path}")
    async with database.write() as transaction:
        version = await transaction.session.scalar(select(BotVersion.id).where(BotVersion.bot_id == bot_id))
        rows = []
        for _ in range(RUNS):
            moment = now - timedelta(seconds=chance.uniform(0, 365 * 86_400))
            state = chance.choices(sorted(ENDED), weights=[1, 4, 1, 1, 92, 1])[0]
            rows.append(
                {
                    "id": new_id("run"), "bot_id": bot_id, "bot_name": "stored", "version_id": version, "version_number": 1,
                    "task": "", "state": state, "state_since": moment, "priority": 50, "inputs": {}, "outputs": {},
                    "requested_by_id": "usr", "requested_by": "admin", "reason": "", "labels": [], "timeout_seconds": 0,
                    "retry": {"on": "never"}, "attempt_count": 1, "created_at": moment, "queued_at": moment,
                    "not_before": moment, "started_at": moment, "ended_at": moment, "cancel_requested_by": "", "message": "",
                }
            )  # fmt: skip
        await transaction.session.execute(insert(Run), rows)
    await database.close()


if __name__ == "__main__":
    main()
