"""A real Control Room served for tests: the whole app on a free port, in a thread of its own, and what happens in it."""

import asyncio
import io
import threading
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import argon2
import uvicorn
from argon2.low_level import Type
from fastapi import FastAPI

from controlroom.audit.actor import SYSTEM
from controlroom.bots.models import BotVersion
from controlroom.devices.models import Device, DeviceMode
from controlroom.foundation.database import Transaction
from controlroom.foundation.ids import new_id
from controlroom.foundation.settings import Settings
from controlroom.identity.caller import Caller
from controlroom.identity.passwords import PasswordHasher
from controlroom.identity.service import local_caller
from controlroom.protocol.records import Level, LogRecord, Stream
from controlroom.runs.log import append_records
from controlroom.runs.models import Artifact, Attempt, HistoryKind, Run
from controlroom.runs.states import State
from controlroom.runs.transitions import add_history, emit_run, move_attempt, move_run
from controlroom.server.app import create_app

T = TypeVar("T")

NAME = "admin"
_START_SECONDS = 30
_LINES_AT_ONCE = 2_000
_QUICK = argon2.Parameters(
    type=Type.ID, version=19, salt_len=16, hash_len=32, time_cost=1, memory_cost=8, parallelism=1
)

SCRIPT = """# /// script
# requires-python = ">=3.11"
#
# [tool.controlroom]
# name = "reconcile-orders"
# description = "Reconciles a month of orders with the invoices that came for them, and lists what does not match."
#
# [tool.controlroom.inputs]
# type = "object"
# required = ["month", "region", "amount"]
#
# [tool.controlroom.inputs.properties.month]
# type = "string"
# format = "date"
# title = "First day of the month"
#
# [tool.controlroom.inputs.properties.region]
# enum = ["north", "south", 3]
# title = "Region"
#
# [tool.controlroom.inputs.properties.amount]
# type = "number"
# minimum = 1
# maximum = 1000
# title = "Least amount"
# description = "Differences below it are let be, in euros."
#
# [tool.controlroom.inputs.properties.copies]
# type = "integer"
# default = 2
#
# [tool.controlroom.inputs.properties.strict]
# type = "boolean"
# default = true
# title = "Stop at the first difference"
#
# [tool.controlroom.inputs.properties.tags]
# type = "array"
# title = "Tags"
# items = { type = "string", minLength = 2 }
# default = ["monthly"]
#
# [tool.controlroom.inputs.properties.channels]
# type = "array"
# uniqueItems = true
# title = "Tell by"
# items = { enum = ["mail", "chat"] }
#
# [tool.controlroom.inputs.properties.contact]
# type = "object"
# title = "Contact"
# required = ["mail"]
# properties = { mail = { type = "string", format = "email", title = "Mail" }, since = { type = "string", format = "date-time", title = "Since" } }
# ///
print("reconciled")
"""


@dataclass
class Site:
    """A served Control Room. `do` runs a coroutine function in the server's loop and gives its result."""

    app: FastAPI
    address: str
    password: str
    loop: asyncio.AbstractEventLoop

    def do(self, work: Callable[[], Awaitable[T]]) -> T:
        async def run() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(60)

    @property
    def caller(self) -> Caller:
        return local_caller(SYSTEM)

    def write(self, change: Callable[[Transaction], Awaitable[T]]) -> T:
        """Change the database as the server itself would: one transaction, and whoever waits is woken."""

        async def work() -> T:
            async with self.app.state.database.write() as transaction:
                return await change(transaction)

        return self.do(work)


@contextmanager
def served_site(folder: Path) -> Iterator[Site]:
    """Serve a fresh Control Room for the length of the block."""
    settings = Settings(
        data_folder=folder, port=0, heartbeat_seconds=86_000, lease_seconds=86_000, password_minimum_length=8
    )
    app = create_app(settings)
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=1)
    )
    ready = threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())

        async def tell() -> None:
            while not server.started:
                await asyncio.sleep(0.01)
            ready.set()

        telling = asyncio.create_task(tell())
        await server.serve()
        telling.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    if not ready.wait(_START_SECONDS):
        raise RuntimeError("the Control Room did not start")
    port = server.servers[0].sockets[0].getsockname()[1]
    site = Site(app, f"http://127.0.0.1:{port}", "", loops[0])
    identity = app.state.identity
    quick = PasswordHasher(_QUICK)
    for part in (identity, identity.accounts, identity.local):
        if hasattr(part, "_hasher"):
            part._hasher = quick
    site.password = site.do(identity.ensure_administrator) or ""
    try:
        yield site
    finally:
        server.should_exit = True
        thread.join(_START_SECONDS)
        quick.close()


def package(script: str = SCRIPT) -> bytes:
    """Return a bot package of one script."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("main.py", script)
    return buffer.getvalue()


def publish(site: Site, script: str = SCRIPT, *, note: str = "", name: str = "") -> BotVersion:
    """Publish a bot and return its version."""

    async def chunks() -> AsyncIterator[bytes]:
        yield package(script)

    async def work() -> BotVersion:
        published = await site.app.state.bots.publish(site.caller, chunks(), note=note, name=name)
        return published.version

    return site.do(work)


def add_device(site: Site, name: str, **other: Any) -> Device:
    """Write a device that looks connected."""
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "mode": DeviceMode.ACTIVE,
        "slots": 4,
        "labels": ["linux"],
        "facts": {"system": "Linux", "release": "6.1", "machine": "x86_64", "python": "3.11.2"},
        "connected_at": now,
        "seen_at": now,
        "joined_at": now - timedelta(days=3),
        "updated_at": now,
        "revision": 1,
    }
    device = Device(id=new_id("dev"), name=name, key_hash=new_id("hash"), **{**values, **other})

    async def work(transaction: Transaction) -> Device:
        transaction.session.add(device)
        return device

    return site.write(work)


def add_run(
    site: Site,
    version: BotVersion,
    bot_name: str,
    *,
    ago_seconds: float = 60,
    inputs: dict[str, Any] | None = None,
    reason: str = "The books of October close today",
) -> Run:
    """Write a run that waits for a label which no device has, so that only the test moves it on."""
    now = datetime.now(UTC) - timedelta(seconds=ago_seconds)
    run = Run(
        id=new_id("run"), bot_id=version.bot_id, bot_name=bot_name, version_id=version.id, version_number=version.number,
        task="", state=State.QUEUED, state_since=now, priority=50, inputs=inputs or {}, outputs={}, requested_by_id="",
        requested_by=NAME, reason=reason, labels=["nobody-has-this"], timeout_seconds=0,
        retry={"on": "never", "count": 3, "backoff_seconds": 5, "backoff_limit_seconds": 3600}, attempt_count=0,
        created_at=now, queued_at=now, not_before=now, cancel_requested_by="", message="",
    )  # fmt: skip

    async def work(transaction: Transaction) -> Run:
        transaction.session.add(run)
        await transaction.session.flush()
        add_history(
            transaction,
            run.id,
            now=now,
            attempt_id=None,
            kind=HistoryKind.STATE,
            state=State.QUEUED,
            message=run.reason,
        )
        emit_run(transaction, run, now=now, kind="run.queued")
        return run

    return site.write(work)


def start_run(site: Site, run_id: str, device: Device, *, after_seconds: float = 2) -> str:
    """Assign a run to a device and start it; return the attempt's id."""

    async def work(transaction: Transaction) -> str:
        session = transaction.session
        run = await session.get_one(Run, run_id)
        begun = run.created_at + timedelta(seconds=after_seconds)
        attempt = Attempt(
            id=new_id("att"), run_id=run.id, number=run.attempt_count + 1, bot_id=run.bot_id, device_id=device.id,
            device_name=device.name, state=State.ASSIGNED, assigned_at=begun, lease_expires_at=begun + timedelta(days=2),
            last_report=0, log_lines=0, step="", progress_message="", start_note="", environment="", message="",
            error_type="", outputs={}, usage={}, pause_wanted=False,
        )  # fmt: skip
        session.add(attempt)
        await session.flush()
        run.attempt_id, run.attempt_count = attempt.id, attempt.number
        run.device_id, run.device_name = device.id, device.name
        move_run(transaction, run, State.ASSIGNED, now=begun)
        started = begun + timedelta(seconds=1)
        move_attempt(attempt, State.RUNNING, now=started)
        attempt.warm = True
        run.started_at = started
        move_run(transaction, run, State.RUNNING, now=started)
        return attempt.id

    return site.write(work)


def write_log(
    site: Site,
    attempt_id: str,
    texts: list[tuple[Level, str]],
    *,
    late: bool = False,
    at: datetime | None = None,
    apart_seconds: float = 0.001,
) -> None:
    """Add lines to an attempt's log, or to what came after its end; from now on, or from another moment."""
    now = at or datetime.now(UTC)

    async def work(transaction: Transaction) -> None:
        attempt = await transaction.session.get_one(Attempt, attempt_id)
        for start in range(0, len(texts), _LINES_AT_ONCE):
            records = [
                LogRecord(now.timestamp() + number * apart_seconds, Stream.LOG, level, text)
                for number, (level, text) in enumerate(texts[start : start + _LINES_AT_ONCE], start)
            ]
            await append_records(transaction, attempt, records, late=late)
            await transaction.session.flush()

    site.write(work)


def end_run(
    site: Site,
    run_id: str,
    state: State,
    *,
    message: str = "",
    outputs: dict[str, Any] | None = None,
    after_seconds: float = 41,
) -> None:
    """End a run's attempt and the run with it."""

    async def work(transaction: Transaction) -> None:
        session = transaction.session
        run = await session.get_one(Run, run_id)
        ended = max(run.state_since + timedelta(seconds=after_seconds), run.created_at)
        if run.attempt_id:
            attempt = await session.get_one(Attempt, run.attempt_id)
            move_attempt(attempt, state, now=ended)
            attempt.exit_code = 0 if state is State.SUCCEEDED else 1
            attempt.message = message
            attempt.outputs = outputs or {}
            attempt.usage = {"cpu_seconds": 12.4, "peak_memory_bytes": 84_000_000}
        run.outputs = outputs or {}
        move_run(transaction, run, state, now=ended, message=message)

    site.write(work)


def add_artifact(site: Site, run_id: str, name: str, size_bytes: int, media_type: str) -> None:
    """Write that a run left a file."""

    async def work(transaction: Transaction) -> None:
        run = await transaction.session.get_one(Run, run_id)
        assert run.attempt_id
        transaction.session.add(
            Artifact(
                id=new_id("art"), run_id=run.id, attempt_id=run.attempt_id, name=name, sha256="0" * 64, size_bytes=size_bytes,
                media_type=media_type, created_at=datetime.now(UTC),
            )
        )  # fmt: skip

    site.write(work)
