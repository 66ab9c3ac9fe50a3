"""A large Control Room for a benchmark: filled once, kept where that is asked for, on SQLite or moved to PostgreSQL."""

import asyncio
import shutil
import sqlite3
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from moved import move
from stored import Sizes, fill

from servers.postgresql import postgresql_server
from serving import ControlRoom, control_room, set_up

_FILE = "controlroom.db"
_SECRET = "secret.key"
_SIZES = "sizes.txt"
_KEPT_FOR = timedelta(hours=20)
"""The runs of "today" are today's for so long."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for."""

    sizes: Sizes = field(default_factory=Sizes)
    postgresql: bool = False
    keep: Path | None = None
    only: str = ""
    rounds: int = 20

    @classmethod
    def given(cls, *, rounds: int = 20) -> Self:
        """Read the command line; ``rounds`` is what counts where it says nothing of them."""
        parser = ArgumentParser(description=sys.modules["__main__"].__doc__)
        parser.add_argument("sizes", nargs="*", type=int, help="runs, devices, audit entries")
        parser.add_argument("--postgresql", action="store_true", help="measure on PostgreSQL")
        parser.add_argument(
            "--keep", type=Path, help="keep the filled database in this folder, and use it again"
        )
        parser.add_argument("--only", default="", help="measure only what has this word in its name")
        parser.add_argument("--rounds", type=int, default=rounds, help="ask for each so often")
        parser.add_argument("--json", action="store_true", help="print JSON")
        found = parser.parse_args()
        return cls(Sizes(*found.sizes), found.postgresql, found.keep, found.only, found.rounds)


@contextmanager
def large_room(options: Options) -> Iterator[ControlRoom]:
    """Start a Control Room with the past of a large site for the length of the block."""

    def begin(data: Path) -> None:
        data.mkdir()
        _fill_or_take(data, options)

    if not options.postgresql:
        with control_room(runners=0, begin=begin) as room:
            yield room
        return
    with postgresql_server() as server:
        server.execute("CREATE DATABASE large")
        url = server.url("large")

        def begin_there(data: Path) -> None:
            begin(data)
            asyncio.run(move(data / _FILE, url))
            (data / _FILE).unlink()

        with control_room(
            runners=0, begin=begin_there, environment={"CONTROLROOM_DATABASE_URL": url}
        ) as room:
            yield room


def _fill_or_take(data: Path, options: Options) -> None:
    """Fill a database in an empty folder, or copy the one that is kept where it is of today and of the sizes asked for."""
    kept = options.keep
    if kept is None or not _is_of_today(kept, options.sizes):
        asyncio.run(set_up(data, 0, ""))
        fill(data / _FILE, options.sizes)
        if kept is not None:
            kept.mkdir(parents=True, exist_ok=True)
            for name in (_FILE, _SECRET):
                shutil.copyfile(data / name, kept / name)
            (kept / _SIZES).write_text(str(options.sizes))
    else:
        for name in (_FILE, _SECRET):
            shutil.copyfile(kept / name, data / name)
        (data / _SECRET).chmod(0o600)
        asyncio.run(set_up(data, 0, ""))  # brings an older one up to this version's tables
    _keep_alive(data / _FILE)


def _is_of_today(kept: Path, sizes: Sizes) -> bool:
    known = kept / _SIZES
    return (
        known.exists()
        and known.read_text() == str(sizes)
        and time.time() - known.stat().st_mtime < _KEPT_FOR.total_seconds()
    )


def _keep_alive(database: Path) -> None:
    """Let devices have been seen, and leases end, a while after now: no runner is there to renew them."""
    connection = sqlite3.connect(database)
    later = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d %H:%M:%S.%f}"
    connection.execute("UPDATE devices SET seen_at = ? WHERE connected_at IS NOT NULL", (later,))
    connection.execute(
        "UPDATE attempts SET lease_expires_at = ? WHERE state IN ('assigned', 'running', 'paused')", (later,)
    )
    connection.commit()
    connection.close()
