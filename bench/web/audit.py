"""A bare word in the audit log at 100,000 entries, on SQLite and on PostgreSQL: the list's first page, by how many have the word.

The time is that of the service, from the filter to the rows. Entries come by the product's own insert, so that the
database gathers their names; the number of entries may be given.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from controlroom.audit.actor import Actor, ActorKind
from controlroom.audit.service import AuditService, record
from controlroom.foundation.clock import SystemClock
from controlroom.foundation.database import Database
from controlroom.foundation.paging import PageRequest
from controlroom.server.schema import create_tables
from servers.postgresql import postgresql_server

ENTRIES = 100_000
ROUNDS = 60
_AT_ONCE = 5_000
_NAMES = 3_000
WORDS = {
    "a word that none has": "zebra",
    "a word that one entry has, the oldest": "needle",
    "a word that few have": "invoices-0007",
    "a word that many have": "requested",
    "a word and its opposite": "invoices -requested",
    "two letters that none has": "qq",
}


def main() -> None:
    entries = next((int(word) for word in sys.argv[1:] if word.isdigit()), ENTRIES)
    with tempfile.TemporaryDirectory(prefix="controlroom-bench-") as folder:
        asyncio.run(measure("SQLite", f"sqlite+aiosqlite:///{folder}/audit.db", entries))
    with postgresql_server() as server:
        asyncio.run(measure("PostgreSQL", server.url("postgres"), entries))


async def measure(name: str, url: str, entries: int) -> None:
    """Fill a database and print the median and the 95th percentile of each word."""
    database = Database(url)
    await create_tables(database)
    begun = time.monotonic()
    await _fill(database, entries)
    print(f"{name}, {entries:,} entries, stored in {time.monotonic() - begun:.0f} s")
    audit = AuditService(database, SystemClock(), b"key")
    for told, word in WORDS.items():
        taken = []
        for turn in range(ROUNDS + 1):
            begun = time.perf_counter()
            await audit.page(PageRequest(filter=word))
            if turn:
                taken.append((time.perf_counter() - begun) * 1000)
        taken.sort()
        print(f"  {told}: median {statistics.median(taken):.1f} ms, p95 {taken[int(ROUNDS * 0.95)]:.1f} ms")
    await database.close()


async def _fill(database: Database, entries: int) -> None:
    now = datetime.now(UTC)
    for start in range(0, entries, _AT_ONCE):
        async with database.write() as transaction:
            for number in range(start, min(start + _AT_ONCE, entries)):
                person = f"person-{number % 50}" if number else "needle"
                record(
                    transaction, time=now - timedelta(minutes=entries - number),
                    actor=Actor(ActorKind.USER, f"usr_{number % 50}", person, "192.0.2.7"),
                    action=("run.requested", "run.cancelled", "device.edited", "session.started")[number % 4],
                    target_kind="run", target_id=f"run_{number}", target_name=f"invoices-{number % _NAMES:04d}",
                    detail={"reason": "month end"},
                )  # fmt: skip


if __name__ == "__main__":
    main()
