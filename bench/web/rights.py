"""Lists and counts of runs for people who may see some folders only, on PostgreSQL at 1,000,000 runs and 400 bots.

The times are those of the service calls that pages and API make, in one process beside the database, without HTTP. People
take turns; a first round warms the caches. How many runs there are may be given.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import MappingProxyType

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent.parent / "spine"))

from sqlalchemy import text

from controlroom.audit.actor import SYSTEM
from controlroom.foundation.blobs import BlobStore
from controlroom.foundation.clock import SystemClock
from controlroom.foundation.database import Database
from controlroom.foundation.paging import PageRequest
from controlroom.foundation.settings import Settings
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import SHIPPED_ROLES
from controlroom.identity.places import ROOT, Place, Placed, PlaceKind
from controlroom.insight.service import InsightService
from controlroom.runs.service import RunService
from controlroom.server.schema import create_tables
from servers.postgresql import postgresql_server
from serving import report

ROUNDS = 40
RUNS = 1_000_000
FOLDERS = {"/wide": 200, "/some": 100, "/few": 10, "/one": 1, "/rare": 1, "/old": 5, "/never": 83}
"""Bots in each folder; those in /rare have a handful of runs, those in /old none of the last months, /never none at all."""
VIEWERS = {
    "the root": ROOT,
    **{f"{path} ({bots} bots)": Place(PlaceKind.FOLDER, path) for path, bots in FOLDERS.items()},
    "no bot at all": Place(PlaceKind.FOLDER, "/empty"),
}
_FILL = (
    """
    INSERT INTO bots (id, name, folder, description, created_at, updated_at, latest_number, revision)
    SELECT 'bot_' || lpad(n::text, 26, '0'), 'bot-' || n, f.path, '', now(), now(), 1, 1
    FROM generate_series(0, 399) AS n
    JOIN (VALUES ('/wide', 0, 199), ('/some', 200, 299), ('/few', 300, 309), ('/one', 310, 310), ('/rare', 311, 311),
                 ('/old', 312, 316), ('/never', 317, 399)) AS f (path, first, last) ON n BETWEEN f.first AND f.last
    """,
    """
    INSERT INTO bot_versions (id, bot_id, number, sha256, size_bytes, format, manifest, note, published_at, published_by)
    SELECT 'ver_' || substr(id, 5), id, 1, repeat('0', 64), 1, 'pep723', '{}', '', now(), 'bench' FROM bots
    """,
    """
    INSERT INTO runs (id, bot_id, bot_name, version_id, version_number, task, state, state_since, priority, inputs, outputs,
        requested_by_id, requested_by, reason, labels, timeout_seconds, retry, attempt_count, created_at, queued_at,
        not_before, cancel_requested_by, message)
    SELECT 'run_' || lpad(n::text, 26, '0'), 'bot_' || lpad(b::text, 26, '0'), 'bot-' || b,
        'ver_' || lpad(b::text, 26, '0'), 1, '',
        CASE WHEN n > :runs - 400 THEN 'running' WHEN n > :runs - 500 THEN 'queued'
             WHEN n % 25 = 0 THEN 'failed' WHEN n % 101 = 0 THEN 'lost' ELSE 'succeeded' END,
        t, 50, '{"month": "2026-01-01", "region": "north"}', '{"rows": 10}', 'usr_1', 'alice', '', '[]', 0, '{}', 1, t, t,
        t, '', ''
    FROM (SELECT n, now() - make_interval(secs => (:runs - n) * 31.5) AS t,
            CASE WHEN n % 200000 = 7 THEN 311 WHEN n < :runs / 4 AND n % 97 = 0 THEN 312 + n % 5
                 ELSE (n::bigint * 7919) % 311 END AS b
          FROM generate_series(1, :runs) AS n) AS made
    """,
)  # fmt: skip


async def fill(database: Database, runs: int) -> None:
    """Make the bots, and runs that are spread over a year."""
    await create_tables(database)
    async with database.engine.begin() as connection:
        for statement in _FILL:
            known = {"runs": runs} if ":runs" in statement else {}
            await connection.execute(text(statement), known)
    async with database.engine.connect() as connection:
        autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await autocommit.execute(text("VACUUM ANALYZE"))


def viewer(place: Place) -> Caller:
    """Return someone who may see the bots and runs at a place."""
    placed = Placed(MappingProxyType({place: SHIPPED_ROLES["viewer"]}))
    return Caller(SYSTEM, "usr_1", "alice", placed.anywhere, session_id="ses_1", placed=placed)


async def measure(database: Database) -> dict[str, str]:
    """Return the median and the 95th percentile of each question, in milliseconds, for each viewer."""
    clock, settings = SystemClock(), Settings()
    runs = RunService(database, BlobStore(Path(tempfile.mkdtemp())), clock, settings)

    async def dashboard(caller: Caller) -> object:
        return await InsightService(database, clock, settings).dashboard(caller)

    asked: dict[str, Callable[[Caller], Awaitable[object]]] = {
        "first page": lambda caller: runs.list(caller, PageRequest()),
        "failed": lambda caller: runs.list(caller, PageRequest("state:failed")),
        "failed or lost": lambda caller: runs.list(caller, PageRequest("state:failed,lost")),
        "a month": lambda caller: runs.list(caller, PageRequest("created<2026-06-01")),
        "oldest first": lambda caller: runs.list(caller, PageRequest(sort="created")),
        "counts by state": runs.overview,
        "dashboard": dashboard,
    }
    callers = {name: viewer(place) for name, place in VIEWERS.items()}
    times: dict[tuple[str, str], list[float]] = {(what, who): [] for what in asked for who in callers}
    for turn in range(ROUNDS + 1):
        for what, ask in asked.items():
            for who, caller in callers.items():
                begun = time.perf_counter()
                await ask(caller)
                if turn:
                    times[what, who].append((time.perf_counter() - begun) * 1000)
    return {f"{what}, {who}": _told(sorted(taken)) for (what, who), taken in times.items()}


def _told(taken: list[float]) -> str:
    return f"median {statistics.median(taken):.1f} ms, p95 {taken[int(len(taken) * 0.95)]:.1f} ms"


async def run(url: str, runs: int) -> None:
    """Fill a database, measure, and tell."""
    database = Database(url)
    try:
        begun = time.monotonic()
        await fill(database, runs)
        filled = time.monotonic() - begun
        report("Rights", {"stored in": f"{filled:.0f} s", **await measure(database)})
    finally:
        await database.close()


def main() -> None:
    runs = next((int(word) for word in sys.argv[1:] if word.isdigit()), RUNS)
    with postgresql_server() as server:
        server.execute("CREATE DATABASE rights")
        asyncio.run(run(server.url("rights"), runs))


if __name__ == "__main__":
    main()
