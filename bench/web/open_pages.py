"""500 open pages' live events at 50 changes a second: what the server computes, how much memory it has, how late events come.

The changes are real ones: runs are asked for and cancelled, half and half. What a page does on an event, fetching itself
at most every 0.7 s, is not part of it: a number after the command's name makes so many of the pages do that too.
"""

import asyncio
import json
import sys
import time
from datetime import datetime
from pathlib import Path

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent / "spine"))

from serving import ControlRoom, control_room, report

PAGES = 500
CHANGES_PER_SECOND = 50
SECONDS = 20
FETCHING = int(next((word for word in sys.argv[1:] if word.isdigit()), 0))
_LEAST_PAUSE = 0.7
BOT = '# /// script\n# requires-python = ">=3.11"\n# ///\nprint("done")\n'


def main() -> None:
    with control_room(runners=0) as room:
        bot = room.publish(BOT, "changing")
        figures = asyncio.run(measure(room, bot))
    report("Open pages", figures)


async def measure(room: ControlRoom, bot: str) -> dict[str, str]:
    """Open the pages, make the changes, and return the figures."""
    lateness: list[float] = []
    counts = [0]
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(
        base_url=room.url, headers=room.client.headers, timeout=120, limits=limits, trust_env=False
    ) as client:
        opened = [asyncio.Event() for _ in range(PAGES)]
        pages = [
            asyncio.create_task(watch(client, opened[number], number < FETCHING, lateness, counts))
            for number in range(PAGES)
        ]
        for each in opened:
            await each.wait()
        server = psutil.Process(room.server.pid)
        before, begun = sum(server.cpu_times()[:2]), time.monotonic()
        changes = await change(client, bot)
        took = time.monotonic() - begun
        computed = sum(server.cpu_times()[:2]) - before
        memory = server.memory_info().rss / 1e6
        for page in pages:
            page.cancel()
        await asyncio.gather(*pages, return_exceptions=True)
    lateness.sort()
    return {
        "pages, of them fetching": f"{PAGES}, {FETCHING}",
        "changes": f"{changes / took:.0f}/s",
        "events that came": f"{len(lateness) / took:,.0f}/s",
        "pages fetched": f"{counts[0] / took:.0f}/s",
        "events late by": f"median {lateness[len(lateness) // 2]:.2f} s, p95 {lateness[int(len(lateness) * 0.95)]:.2f} s",
        "server": f"{computed / took:.2f} cores, {memory:.0f} MB",
    }


async def watch(
    client: httpx.AsyncClient,
    opened: asyncio.Event,
    fetches: bool,
    lateness: list[float],
    counts: list[int],
) -> None:
    """Follow the events as the Activity page does."""
    next_fetch = 0.0
    async with client.stream("GET", "/api/v1/events", params={"kinds": "run."}) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("event: hello"):
                opened.set()
            if not line.startswith('data: {"position"') or '"kind"' not in line:
                continue
            told = datetime.fromisoformat(json.loads(line[6:])["time"])
            lateness.append(time.time() - told.timestamp())
            if fetches and time.monotonic() >= next_fetch:
                next_fetch = time.monotonic() + _LEAST_PAUSE
                await client.get("/activity", headers={"Accept": "text/html"})
                counts[0] += 1


async def change(client: httpx.AsyncClient, bot: str) -> int:
    """Ask for runs and cancel them, at a steady pace; return how many changes were made."""
    begun, made, waiting = time.monotonic(), 0, []
    while (now := time.monotonic() - begun) < SECONDS:
        if made > now * CHANGES_PER_SECOND:
            await asyncio.sleep(1 / CHANGES_PER_SECOND)
            continue
        if made % 2:
            await client.post(f"/api/v1/runs/{waiting.pop()}/cancel", json={})
        else:
            asked = await client.post("/api/v1/runs", json={"bot": bot, "labels": ["nowhere"]})
            waiting.append(asked.raise_for_status().json()["id"])
        made += 1
    return made


if __name__ == "__main__":
    main()
