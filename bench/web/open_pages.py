"""500 open pages at 50 changes a second: what the server computes, how much memory it has, how soon a page shows a change.

The pages do what `islands/live.js` does: each holds a stream of events, fetches itself when it is told that it is its turn, at
most every 0.7 s, names the position that it knows and the rendering that it shows. They are 25 people's, signed in by
password, with 20 pages each: two administrators and two operators to a viewer. The changes are real: runs are asked for and
cancelled, half and half; every fifth that is cancelled is one that a run's page shows. A number after the command's name
is how many pages there are, ``--people N`` how many have them.
"""

import asyncio
import json
import random
import sys
import time
from argparse import ArgumentParser
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent / "spine"))

from serving import ControlRoom, control_room, report

_PARSER = ArgumentParser(description=__doc__)
_PARSER.add_argument("pages", nargs="?", type=int, default=500, help="how many pages are open")
_PARSER.add_argument("--people", type=int, default=25, help="how many people have them open")
_PARSER.add_argument("--json", action="store_true", help="print JSON")
OPTIONS = _PARSER.parse_args()
PAGES: int = OPTIONS.pages
ROLES = ("administrator", "operator", "administrator", "operator", "viewer")
PEOPLE = [(ROLES[number % len(ROLES)], number) for number in range(OPTIONS.people)]
PASSWORD = "seven lamps in the harbour"
CHANGES_PER_SECOND = 50
SECONDS = 30
ALONE_SECONDS = 10
LEAST_PAUSE = 0.7
SETTLE = 0.1
BOT = '# /// script\n# requires-python = ">=3.11"\n# ///\nprint("done")\n'
FILTERS = (
    "state:queued",
    "state:cancelled",
    "state:failed",
    "bot:changing",
    "state:queued bot:changing",
    "label:nowhere",
)
MIX = (
    ("/activity", 40),
    ("/activity?filter=", 20),
    ("/runs/", 20),
    ("/dashboard", 12),
    ("/devices", 4),
    ("/bots", 4),
)
"""Addresses, and how many in a hundred pages are there; what is open is filled with a filter or a run."""
KINDS = {
    "/activity": "run.",
    "/runs/": "run.",
    "/dashboard": "run.,device.,bot.",
    "/devices": "device.",
    "/bots": "bot.",
}


@dataclass
class Seen:
    """What all pages saw."""

    times: dict[int, float] = field(default_factory=dict)
    """When each event happened, by its position."""
    told: int = 0
    fetched: int = 0
    unchanged: int = 0
    waits: list[float] = field(default_factory=list)
    told_after: list[float] = field(default_factory=list)
    shown_after: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    got_bytes: int = 0


@dataclass
class OpenPage:
    """One page in one person's browser."""

    browser: httpx.AsyncClient
    kind: str
    address: str
    run_id: str = ""
    position: int = 0
    shown: int = 0
    tag: str = ""
    fetched_at: float = 0.0
    turn_at: float = 0.0
    is_stale: bool = False
    is_fetching: bool = False
    pending: "asyncio.Task[None] | None" = None

    async def live(self, opened: asyncio.Event, seen: Seen) -> None:
        """Load the page, and follow the events as a browser does."""
        answer = await self.browser.get(self.address)
        answer.raise_for_status()
        self.position = self.shown = int(answer.text.split('data-live-position="', 1)[1].split('"', 1)[0])
        query = {"kinds": KINDS[self.kind], "gather": "true", "after": str(self.position)}
        if self.run_id:
            query["subject"] = self.run_id
        headers = {"Accept": "text/event-stream"}
        async with self.browser.stream("GET", "/api/v1/events", params=query, headers=headers) as stream:
            stream.raise_for_status()
            opened.set()
            kind = ""
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: ") and kind == "changes":
                    self.told(json.loads(line[6:]), seen)

    def told(self, message: dict[str, int], seen: Seen) -> None:
        """Take note of a change, and when it is this page's turn."""
        before, self.position = self.position, message["position"]
        now = time.time()
        seen.told += 1
        seen.waits.append(message["wait"] / 1000)
        if not self.run_id:
            seen.told_after += [
                now - seen.times[each] for each in range(before + 1, self.position + 1) if each in seen.times
            ]
        self.schedule(message["wait"] / 1000, seen)

    def schedule(self, wait: float, seen: Seen) -> None:
        """Fetch in turn, once."""
        self.is_stale = True
        if self.pending is not None and not self.pending.done():
            if self.is_fetching:
                self.turn_at = time.monotonic() + wait
            return
        self.turn_at = time.monotonic() + wait
        self.is_fetching = False
        self.pending = asyncio.create_task(self.fetch_in_turn(seen))

    async def fetch_in_turn(self, seen: Seen) -> None:
        """Wait for the turn and fetch; again where more was told meanwhile."""
        while self.is_stale:
            now = time.monotonic()
            await asyncio.sleep(max(SETTLE, self.turn_at - now, self.fetched_at + LEAST_PAUSE - now))
            self.is_stale, self.is_fetching, self.fetched_at = False, True, time.monotonic()
            headers = {"X-Background": "live", "X-Live-Position": str(self.position)}
            if self.tag:
                headers["If-None-Match"] = self.tag
            answer = await self.browser.get(self.address, headers=headers)
            self.is_fetching = False
            self.note(answer, seen)

    def note(self, answer: httpx.Response, seen: Seen) -> None:
        """Note what the page shows now that it did not before."""
        now = time.time()
        seen.fetched += 1
        seen.unchanged += answer.status_code == 304
        seen.got_bytes += len(answer.content)
        if answer.status_code not in (200, 304):
            raise RuntimeError(f"{self.address}: {answer.status_code} {answer.text[:300]}")
        self.tag = answer.headers["etag"]
        shows = int(answer.headers["x-live-position"])
        if not self.run_id and "run." in KINDS[self.kind]:
            late = [now - seen.times[each] for each in range(self.shown + 1, shows + 1) if each in seen.times]
            seen.shown_after[self.kind] += late
        self.shown = max(self.shown, shows)


def main() -> None:
    with control_room(runners=0, environment={"CONTROLROOM_PASSWORD_MINIMUM_LENGTH": "8"}) as room:
        bot = room.publish(BOT, "changing")
        figures = asyncio.run(measure(room, bot))
    report("Open pages", figures)


async def measure(room: ControlRoom, bot: str) -> dict[str, str]:
    """Measure the changes alone, then with the pages open, and return the figures."""
    limits = httpx.Limits(
        max_connections=None, max_keepalive_connections=None, keepalive_expiry=2
    )  # the server closes idle connections after 5 s, and a late client must not send into that
    options = {"base_url": room.url, "timeout": 120, "limits": limits, "trust_env": False}
    async with httpx.AsyncClient(headers=room.client.headers, **options) as client:
        runs = [await ask(client, bot) for _ in range(max(PAGES // 5, 60))]
        browsers = [
            await sign_in(client, httpx.AsyncClient(**options), role, number) for role, number in PEOPLE
        ]
        server = psutil.Process(room.server.pid)
        alone_computed, alone_changes, _ = await measured(server, change(client, bot, deque(), ALONE_SECONDS))
        memory_before = server.memory_info().rss / 1e6
        seen = Seen()
        pages, watched = some_pages(browsers, runs)
        opened = [asyncio.Event() for _ in pages]
        tasks = [
            asyncio.create_task(page.live(event, seen)) for page, event in zip(pages, opened, strict=True)
        ]
        witness = asyncio.create_task(note_times(client, seen))
        await asyncio.gather(*(each.wait() for each in opened))
        memory: list[float] = []
        watching = asyncio.create_task(watch_memory(server, memory))
        computed, changes, took = await measured(server, change(client, bot, watched, SECONDS))
        watching.cancel()
        failed = [task.exception() for task in tasks if task.done()]
        failed += [page.pending.exception() for page in pages if page.pending and page.pending.done()]
        await settle(pages)
        last = max(seen.times)
        behind = sum(page.shown < last for page in pages if not page.run_id and "run." in KINDS[page.kind])
        for each in (*tasks, witness, watching):
            each.cancel()
        await asyncio.gather(*tasks, witness, watching, return_exceptions=True)
        for browser in browsers:
            await browser.aclose()
    for error in failed:
        if error is not None:
            raise error
    per_change = alone_computed / alone_changes
    of_pages = computed - changes * per_change
    mix = ", ".join(f"{sum(page.kind == kind for page in pages)} {kind}" for kind in KINDS)
    return {
        "pages": f"{len(pages)} of {len(PEOPLE)} people: {mix}",
        "changes asked, done": f"{CHANGES_PER_SECOND}/s, {changes / took:.1f}/s",
        "server, changes alone": f"{per_change * 1000:.1f} ms of a core a change",
        "server, changes and pages": f"{computed / took:.2f} cores, of them pages {of_pages / took:.2f}",
        "one page for a second": f"{of_pages / took / len(pages) * 1000:.2f} ms of a core",
        "memory before, at most": f"{memory_before:.0f} MB, {max(memory):.0f} MB",
        "told": f"{seen.told / took:.0f}/s, turn after {quantiles(seen.waits)}",
        "fetched": f"{seen.fetched / took:.0f}/s, of them unchanged {seen.unchanged / max(seen.fetched, 1):.0%}, {seen.got_bytes / took / 1e6:.1f} MB/s",
        "event until told": quantiles(seen.told_after),
        **{f"change until shown, {kind}": quantiles(late) for kind, late in seen.shown_after.items()},
        "pages behind after the last change": str(behind),
    }


async def ask(client: httpx.AsyncClient, bot: str) -> str:
    """Ask for a run that no device can take."""
    asked = await client.post("/api/v1/runs", json={"bot": bot, "labels": ["nowhere"]})
    return str(asked.raise_for_status().json()["id"])


async def sign_in(
    client: httpx.AsyncClient, browser: httpx.AsyncClient, role: str, number: int
) -> httpx.AsyncClient:
    """Make a person, and return their browser."""
    name = f"{role}-{number}"
    made = await client.post("/api/v1/users", json={"name": name, "roles": [role], "password": PASSWORD})
    made.raise_for_status()
    browser.headers["Accept"] = "text/html"
    answer = await browser.post("/sign-in", data={"name": name, "password": PASSWORD})
    if answer.status_code != 303:
        raise RuntimeError(f"{name} cannot sign in: {answer.status_code} {answer.text[:500]}")
    return browser


def some_pages(browsers: list[httpx.AsyncClient], runs: list[str]) -> tuple[list[OpenPage], deque[str]]:
    """Return the pages by the mix, spread over the people, and the runs that some of them show."""
    kinds = [address for address, share in MIX for _ in range(share)]
    random.Random(1).shuffle(kinds)
    pages, watched, filters = [], deque(), 0
    for number in range(PAGES):
        address, browser = kinds[number % len(kinds)], browsers[number % len(browsers)]
        if address == "/runs/":
            watched.append(runs[len(watched)])
            pages.append(OpenPage(browser, address, f"/runs/{watched[-1]}", watched[-1]))
        elif address.endswith("="):
            filters += 1
            pages.append(OpenPage(browser, "/activity", f"{address}{FILTERS[filters % len(FILTERS)]}"))
        else:
            pages.append(OpenPage(browser, address, address))
    return pages, watched


async def note_times(client: httpx.AsyncClient, seen: Seen) -> None:
    """Note when each event happened."""
    async with client.stream("GET", "/api/v1/events", params={"kinds": "run."}) as stream:
        async for line in stream.aiter_lines():
            if line.startswith('data: {"position"') and '"kind"' in line:
                event = json.loads(line[6:])
                seen.times[event["position"]] = datetime.fromisoformat(event["time"]).timestamp()


async def measured(server: psutil.Process, work: "asyncio.Future[int]") -> tuple[float, int, float]:
    """Return what the server computed meanwhile, in seconds, what the work gave, and how long it took."""
    before, begun = sum(server.cpu_times()[:2]), time.monotonic()
    done = await work
    return sum(server.cpu_times()[:2]) - before, done, time.monotonic() - begun


async def watch_memory(server: psutil.Process, memory: list[float]) -> None:
    """Note how much resident memory the server has, in MB, twice a second."""
    while True:
        memory.append(server.memory_info().rss / 1e6)
        await asyncio.sleep(0.5)


async def change(client: httpx.AsyncClient, bot: str, watched: "deque[str]", seconds: float) -> int:
    """Ask for runs and cancel them, at a steady pace; return how many changes were made."""
    begun, made, waiting = time.monotonic(), 0, []
    while (now := time.monotonic() - begun) < seconds:
        if made > now * CHANGES_PER_SECOND:
            await asyncio.sleep(1 / CHANGES_PER_SECOND)
            continue
        if made % 2:
            of_a_page = watched and made % 10 == 9
            run_id = watched.popleft() if of_a_page else waiting.pop()
            (await client.post(f"/api/v1/runs/{run_id}/cancel", json={})).raise_for_status()
        else:
            waiting.append(await ask(client, bot))
        made += 1
    return made


async def settle(pages: list[OpenPage]) -> None:
    """Wait until no page has anything to fetch any more."""
    quiet = 0
    while quiet < 20:
        await asyncio.sleep(0.1)
        quiet = 0 if any(page.pending and not page.pending.done() for page in pages) else quiet + 1


def quantiles(values: list[float]) -> str:
    """Return the median, 95 % and the most."""
    if not values:
        return "none"
    values = sorted(values)
    return f"median {values[len(values) // 2]:.2f} s, p95 {values[int(len(values) * 0.95)]:.2f} s, at most {values[-1]:.2f} s"


if __name__ == "__main__":
    main()
