"""Fills a database with a large site's past, quickly: bots, devices, pools, runs with attempts and measures, audit entries.

Rows go in by SQLite's own bulk insert, with the indexes of the large tables dropped before and made anew after. Times are
spread over a year, states as they are where most goes well, and all of it comes out the same each time.
"""

import json
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

BOTS = 200
POOLS = 20
ACTIVE = 400
"""Runs that hold a slot now."""
QUEUED = 100
_ENDED = ("cancelled", "failed", "lost", "rejected", "succeeded", "timed_out")
_WEIGHTS = (1, 4, 1, 1, 92, 1)
_MESSAGES = (
    "no paper in tray 2",
    "ValueError: the invoice has no number",
    "the portal did not answer in 30 s",
)
_WORDS = ("invoices", "orders", "claims", "payroll", "stock", "letters", "returns", "tickets")
_YEAR_SECONDS = 365 * 86_400
_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much lies in the database."""

    runs: int = 1_000_000
    devices: int = 10_000
    audit_entries: int = 100_000


def fill(database: Path, sizes: Sizes) -> None:
    """Put a site's past into a database that the server has set up and does not hold open now."""
    chance, now = random.Random(1), datetime.now(UTC).replace(microsecond=0)
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("BEGIN")
    indexes = _drop_indexes(connection, ("runs", "attempts", "audit_entries"))
    _insert(connection, "bots", _bots(now))
    _insert(connection, "bot_versions", _versions(now))
    _insert(connection, "devices", _devices(sizes.devices, now))
    _insert(connection, "device_pools", _pools(now))
    _insert(connection, "device_pool_members", _members(sizes.devices))
    _insert(connection, "runs", _runs(sizes, chance, now))
    _insert(connection, "attempts", _attempts(connection))
    _measure(connection)
    _insert(connection, "audit_entries", _audit(connection, sizes.audit_entries, chance, now))
    for statement in indexes:
        connection.execute(statement)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def made_id(prefix: str, number: int) -> str:
    """Return the id that the row of this number has."""
    return f"{prefix}_{number:026d}"


def _insert(connection: sqlite3.Connection, table: str, rows: Iterator[dict[str, Any]]) -> None:
    """Insert rows that all have the same columns as the first."""
    while part := list(islice(rows, _AT_ONCE)):
        names = list(part[0])
        statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        connection.executemany(statement, [tuple(row.values()) for row in part])


def _drop_indexes(connection: sqlite3.Connection, tables: tuple[str, ...]) -> list[str]:
    """Drop the indexes of some tables and return the statements that make them anew."""
    marks = ", ".join("?" * len(tables))
    query = f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({marks})"
    found = connection.execute(query, tables).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}")
    return [statement for _, statement in found]


def _text(moment: datetime) -> str:
    """Return a moment as SQLAlchemy keeps it in SQLite."""
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def _bot_name(number: int) -> str:
    return f"{_WORDS[number % len(_WORDS)]}-{number:03d}"


def _bots(now: datetime) -> Iterator[dict[str, Any]]:
    for number in range(BOTS):
        yield {
            "id": made_id("bot", number), "name": _bot_name(number), "folder": f"/{_WORDS[number % len(_WORDS)]}",
            "description": "Works through what came in over night.", "current_version_id": made_id("ver", number),
            "latest_number": 1, "created_at": _text(now), "updated_at": _text(now), "revision": 1,
        }  # fmt: skip


def _versions(now: datetime) -> Iterator[dict[str, Any]]:
    task = {"name": "main", "launch": {"kind": "script", "target": "main.py"}}
    manifest = json.dumps(
        {"name": "stored", "format": "script", "tasks": [task], "default_task": "main", "inputs": {}}
    )
    for number in range(BOTS):
        yield {
            "id": made_id("ver", number), "bot_id": made_id("bot", number), "number": 1, "sha256": f"{number:064d}",
            "size_bytes": 2_000, "format": "script", "manifest": manifest, "note": "", "published_at": _text(now),
            "published_by": "admin",
        }  # fmt: skip


def _devices(count: int, now: datetime) -> Iterator[dict[str, Any]]:
    facts = json.dumps({"system": "Linux", "release": "6.1", "machine": "x86_64", "python": "3.11.2"})
    for number in range(count):
        mode = "disabled" if number % 97 == 0 else "draining" if number % 89 == 0 else "active"
        yield {
            "id": made_id("dev", number), "name": f"robot-{number:05d}", "key_hash": f"{number:064d}", "mode": mode,
            "slots": 4, "labels": json.dumps(["linux", f"site-{number % 40}"]), "facts": facts,
            "connected_at": None if number % 50 == 0 else _text(now), "seen_at": _text(now),
            "joined_at": _text(now - timedelta(hours=number)), "updated_at": _text(now), "revision": 1,
        }  # fmt: skip


def _pools(now: datetime) -> Iterator[dict[str, Any]]:
    for number in range(POOLS):
        yield {
            "id": made_id("pol", number), "name": f"pool-{number:02d}", "description": "", "share": "priority",
            "device_order": "spread", "created_at": _text(now), "updated_at": _text(now), "revision": 1,
        }  # fmt: skip


def _members(devices: int) -> Iterator[dict[str, Any]]:
    for number in range(devices):
        yield {
            "pool_id": made_id("pol", number % POOLS),
            "device_id": made_id("dev", number),
            "position": number // POOLS,
        }


def _runs(sizes: Sizes, chance: random.Random, now: datetime) -> Iterator[dict[str, Any]]:
    """Give runs, the oldest first, so that their ids sort by time as real ones do."""
    retry = json.dumps({"on": "never"})
    for number in range(sizes.runs):
        left = sizes.runs - number
        if left <= QUEUED + ACTIVE:
            state = "queued" if left <= QUEUED else "running"
            created = now - timedelta(seconds=left)
        else:
            state = chance.choices(_ENDED, weights=_WEIGHTS)[0]
            created = now - timedelta(seconds=600 + left * _YEAR_SECONDS / sizes.runs)
        bot, device = chance.randrange(BOTS), chance.randrange(sizes.devices)
        started = created + timedelta(seconds=chance.expovariate(0.5))
        ended = started + timedelta(seconds=chance.expovariate(0.02))
        is_queued, is_ended = state == "queued", state in _ENDED
        yield {
            "id": made_id("run", number), "bot_id": made_id("bot", bot), "bot_name": _bot_name(bot),
            "version_id": made_id("ver", bot), "version_number": 1, "task": "", "state": state,
            "state_since": _text(ended if is_ended else created), "priority": 50, "inputs": "{}", "outputs": "{}",
            "requested_by_id": "usr", "requested_by": ("alice", "bob", "nightly")[number % 3],
            "reason": "", "labels": '["nowhere"]' if is_queued else "[]", "timeout_seconds": 0.0, "retry": retry,
            "attempt_count": 0 if is_queued else 1, "attempt_id": None if is_queued else made_id("att", number),
            "device_id": None if is_queued else made_id("dev", device),
            "device_name": None if is_queued else f"robot-{device:05d}", "created_at": _text(created),
            "queued_at": _text(created), "not_before": _text(created),
            "started_at": None if is_queued else _text(started), "ended_at": _text(ended) if is_ended else None,
            "cancel_requested_by": "",
            "message": _MESSAGES[number % len(_MESSAGES)] if state in ("failed", "timed_out", "lost") else "",
        }  # fmt: skip


def _attempts(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    far = _text(datetime.now(UTC) + timedelta(days=2))
    query = """SELECT id, bot_id, device_id, device_name, state, created_at, started_at, ended_at, attempt_id, message
FROM runs WHERE attempt_id IS NOT NULL"""
    for run, bot, device, name, state, created, started, ended, attempt, message in connection.execute(query):
        yield {
            "id": attempt, "run_id": run, "number": 1, "bot_id": bot, "device_id": device, "device_name": name,
            "state": state, "assigned_at": created, "started_at": started, "ended_at": ended, "lease_expires_at": far,
            "last_report": 0, "log_lines": 0, "step": "", "progress_message": "", "start_note": "", "environment": "",
            "message": message, "error_type": "", "outputs": "{}", "usage": "{}", "pause_wanted": False,
        }  # fmt: skip


def _measure(connection: sqlite3.Connection) -> None:
    """Add up what the server would have measured while the runs of the last month ran."""
    from controlroom.runs.measures import bucket_of

    connection.create_function("bucket_of", 1, bucket_of, deterministic=True)
    waited = "(julianday(started_at) - julianday(created_at)) * 86400"
    took = "(julianday(ended_at) - julianday(started_at)) * 86400"
    since = "ended_at > datetime('now', '-31 days')"
    hour = "strftime('%Y-%m-%d %H:00:00.000000', {})"
    day = "strftime('%Y-%m-%d 00:00:00.000000', {})"
    for kind, moment, seconds, bucket in (
        ("state", "ended_at", took, f"bucket_of({took})"),
        ("'waited'", "started_at", waited, f"bucket_of({waited})"),
        ("'busy'", "started_at", took, "0"),
    ):
        connection.execute(
            f"""INSERT INTO run_measures (hour, kind, bucket, count, seconds)
SELECT {hour.format(moment)} AS begun, {kind}, {bucket} AS part, count(*), sum({seconds}) FROM runs WHERE {since}
GROUP BY 1, 2, 3"""
        )
        for daily, span, kept in ((1, day, "-31 days"), (0, hour, "-3 days")):
            connection.execute(
                f"""INSERT INTO bot_measures (bot_id, daily, begun, kind, bucket, count, seconds)
SELECT bot_id, {daily}, {span.format(moment)} AS begun, {kind}, {bucket} AS part, count(*), sum({seconds}) FROM runs
WHERE ended_at > datetime('now', '{kept}') GROUP BY 1, 2, 3, 4, 5"""
            )


def _audit(
    connection: sqlite3.Connection, count: int, chance: random.Random, now: datetime
) -> Iterator[dict[str, Any]]:
    """Give entries that go on from the chain as it stands, hashed as the server hashes them."""
    from controlroom.audit.entry import entry_hash

    newest = "SELECT number, hash FROM audit_entries ORDER BY number DESC LIMIT 1"
    number, link = connection.execute(newest).fetchone()
    for left in range(count, 0, -1):
        number += 1
        row: dict[str, Any] = {
            "time": now - timedelta(seconds=left * 60), "actor_kind": "user", "actor_id": made_id("usr", left % 50),
            "actor_name": f"person-{left % 50}",
            "action": chance.choice(("run.requested", "run.cancelled", "device.edited", "session.started")),
            "target_kind": "run", "target_id": made_id("run", left), "target_name": _bot_name(left % BOTS),
            "outcome": "refused" if left % 200 == 0 else "done", "address": "192.0.2.7", "request_id": made_id("req", left),
            "detail": {"reason": "month end"}, "number": number, "previous_hash": link,
        }  # fmt: skip
        row["hash"] = link = entry_hash(row)
        yield {**row, "time": _text(row["time"]), "detail": json.dumps(row["detail"])}
