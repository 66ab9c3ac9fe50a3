"""A stateful model of a run's life over the real services: whatever comes, in whatever order, the promises hold."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit.actor import SYSTEM
from controlroom.audit.models import AuditEntry
from controlroom.audit.service import verify
from controlroom.bots.models import Bot
from controlroom.bots.service import BotService
from controlroom.devices.models import Device, DeviceMode
from controlroom.devices.presence import Presence
from controlroom.foundation.blobs import BlobStore
from controlroom.foundation.bus.memory import MemoryBus
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Conflict
from controlroom.foundation.ids import new_id
from controlroom.foundation.outbox import EventRow
from controlroom.foundation.settings import Settings
from controlroom.identity.service import local_caller
from controlroom.protocol.messages import (
    Ack,
    CancelAttempt,
    DeviceFacts,
    Ended,
    FromServer,
    Log,
    Outcome,
    Output,
    Paused,
    Progress,
    Report,
    ReportBody,
    Resumed,
    StaleAttempt,
    StartAttempt,
    Started,
)
from controlroom.protocol.records import Level, LogRecord, Stream
from controlroom.runs.dispatch import Dispatcher
from controlroom.runs.leases import Leases
from controlroom.runs.models import Attempt, HistoryKind, LogChunk, Run, RunHistory
from controlroom.runs.orders import Orders
from controlroom.runs.reports import Delivery, ReportApplier
from controlroom.runs.schemas import RepeatIn, RetryIn, RunIn
from controlroom.runs.service import RunService
from controlroom.runs.states import ACTIVE, ATTEMPT_TRANSITIONS, ENDED, State
from controlroom.runs.tokens import AttemptTokens
from controlroom.server.schema import create_tables
from serving import package_of, script

pytestmark = pytest.mark.timeout(180)

T = TypeVar("T")
SETTINGS = {"lease_seconds": 45, "heartbeat_seconds": 10, "cancel_grace_seconds": 10}
CALLER = local_caller(SYSTEM)
SLOTS = {"one": 1, "two": 2}
MOST_AT_ONCE = {"free": None, "single": 1}
FACTS = DeviceFacts("host", "linux", "6", "x86_64", "3.11", "0", 1, 1)
BEGUN = datetime(2026, 1, 1, 8, tzinfo=UTC)


class ModelClock:
    """A clock that the machine moves."""

    def __init__(self) -> None:
        self.moment = BEGUN

    def now(self) -> datetime:
        return self.moment


@dataclass
class Sent:
    """What the model's runner has of one attempt, and what the server must therefore have."""

    attempt_id: str
    token: str
    device_id: str
    reports: list[Report] = field(default_factory=list)
    lines: int = 0
    late_lines: int = 0
    cancel: Outcome | None = None
    closed: bool = False


@cache
def template() -> Path:
    """Return a folder with a database of two devices and two bots, made once for all examples."""
    folder = Path(tempfile.mkdtemp(prefix="controlroom-model-"))
    asyncio.run(_fill(folder))
    return folder


async def _fill(folder: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{folder}/model.db")
    clock = ModelClock()
    await create_tables(database)
    bots = BotService(database, BlobStore(folder / "blobs"), clock, Settings(data_folder=folder))
    for name, most in MOST_AT_ONCE.items():
        content = package_of(script(f"print('{name}')"), name)
        await bots.publish(CALLER, _once(content), name=name)
        async with database.write() as transaction:
            await transaction.session.execute(update(Bot).where(Bot.name == name).values(most_at_once=most))
    async with database.write() as transaction:
        for name, slots in SLOTS.items():
            transaction.session.add(
                Device(
                    id=new_id("dev"), name=name, key_hash=name, mode=DeviceMode.ACTIVE, slots=slots, labels=[], facts={},
                    joined_at=BEGUN, updated_at=BEGUN, revision=1,
                )
            )  # fmt: skip
    await database.close()


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


class LifeOfARun(RuleBasedStateMachine):
    """Requests, assigns, reports, loses and controls runs in every order that hypothesis finds."""

    @initialize(seed=st.integers(0, 2**16))
    def open(self, seed: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="controlroom-life-"))
        shutil.copy(template() / "model.db", self.folder / "model.db")
        self.loop = asyncio.Runner()
        self.clock = ModelClock()
        self.database = Database(f"sqlite+aiosqlite:///{self.folder}/model.db")
        given = Settings(data_folder=self.folder, **SETTINGS)  # type: ignore[arg-type]  # checked by pydantic
        chance, tokens = Random(seed), AttemptTokens(b"a key for the model of a run's life")
        self.runs = RunService(self.database, BlobStore(self.folder), self.clock, given)
        self.dispatcher = Dispatcher(self.database, MemoryBus(), self.clock, given)
        self.leases = Leases(self.database, self.clock, given, chance)
        self.applier = ReportApplier(self.database, self.clock, tokens, chance)
        self.orders = Orders(self.database, self.clock, given, tokens)
        self.presence = Presence(self.database, self.clock, new_id("nod"))
        self.connections: dict[str, str] = {}
        self.sent: dict[str, Sent] = {}
        self.run_ids: list[str] = []
        self.seen_ended: dict[str, Any] = {}
        self.before: dict[str, State] = {}
        self.devices = self.loop.run(self._read(self._device_ids))
        self._begin_with_attempts()

    def _begin_with_attempts(self) -> None:
        """Leave the way to the first attempts behind, which chance alone would seldom find."""
        for bot, on in (("free", "loss"), ("single", "failure"), ("free", "never")):
            retry = RetryIn(on=on, count=2, backoff_seconds=2)
            run, _ = self.loop.run(self.runs.request(CALLER, RunIn(bot=bot, retry=retry, timeout_seconds=30)))
            self.run_ids.append(run.id)
        for device_id in self.devices.values():
            connection = new_id("con")
            self.loop.run(self.presence.connected(device_id, connection, FACTS))
            self.connections[device_id] = connection
        self.loop.run(self.dispatcher.assign_round())
        for device_id in self.devices.values():
            self._take_orders(device_id)

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        try:
            report = self.loop.run(self._read(verify))
            assert not report.faults
        finally:
            self.loop.run(self.database.close())
            self.loop.close()
            shutil.rmtree(self.folder)

    # What people do.

    @rule(
        bot=st.sampled_from(sorted(MOST_AT_ONCE)),
        on=st.sampled_from(["never", "loss", "failure"]),
        count=st.integers(0, 2),
        timeout=st.sampled_from([None, 30.0]),
        priority=st.sampled_from([10, 50]),
    )
    def request(self, bot: str, on: Any, count: int, timeout: float | None, priority: int) -> None:
        wanted = RunIn(
            bot=bot,
            retry=RetryIn(on=on, count=count, backoff_seconds=2),
            timeout_seconds=timeout,
            priority=priority,
        )
        run, is_new = self.loop.run(self.runs.request(CALLER, wanted))
        assert is_new
        self.run_ids.append(run.id)

    @rule(data=st.data())
    def request_twice_with_one_key(self, data: st.DataObject) -> None:
        wanted = RunIn(bot="free", idempotency_key=data.draw(st.sampled_from(["a", "b"])))
        first, _ = self.loop.run(self.runs.request(CALLER, wanted))
        second, is_new = self.loop.run(self.runs.request(CALLER, wanted))
        assert (second.id, is_new) == (first.id, False)
        if first.id not in self.run_ids:
            self.run_ids.append(first.id)

    @precondition(lambda self: self.run_ids)
    @rule(data=st.data(), what=st.sampled_from(["cancel", "pause", "resume"]))
    def control(self, data: st.DataObject, what: str) -> None:
        act: Callable[..., Awaitable[Run]] = getattr(self.runs, what)
        with suppress(Conflict):
            self.loop.run(act(CALLER, data.draw(st.sampled_from(self.run_ids))))  # type: ignore[arg-type]  # a coroutine

    @precondition(lambda self: self.run_ids)
    @rule(data=st.data())
    def run_again(self, data: st.DataObject) -> None:
        run_id = data.draw(st.sampled_from(self.run_ids))
        self.run_ids.append(self.loop.run(self.runs.repeat(CALLER, run_id, RepeatIn())).id)

    # What the server does by itself.

    @rule()
    def dispatch(self) -> None:
        self.loop.run(self.dispatcher.assign_round())

    @rule(seconds=st.sampled_from([1, 5, 44, 46, 200]), sweeps=st.booleans())
    def time_goes_by(self, seconds: float, sweeps: bool) -> None:
        self.clock.moment += timedelta(seconds=seconds)
        if sweeps:
            self.loop.run(self.leases.end_overdue())

    # What runners do.

    @rule(name=st.sampled_from(sorted(SLOTS)))
    def connect(self, name: str) -> None:
        device_id, connection = self.devices[name], new_id("con")
        self.loop.run(self.presence.connected(device_id, connection, FACTS))
        self.connections[device_id] = connection

    @precondition(lambda self: self.connections)
    @rule(data=st.data())
    def disconnect(self, data: st.DataObject) -> None:
        device_id = data.draw(st.sampled_from(sorted(self.connections)))
        self.loop.run(self.presence.disconnected(device_id, self.connections.pop(device_id)))

    @precondition(lambda self: self.connections)
    @rule(data=st.data())
    def heartbeat(self, data: st.DataObject) -> None:
        device_id = data.draw(st.sampled_from(sorted(self.connections)))
        held = [sent.attempt_id for sent in self.sent.values() if sent.device_id == device_id]
        self.loop.run(self.presence.seen([self.connections[device_id]]))
        active = self.loop.run(self.leases.renew(held))
        assert active <= set(held)

    @precondition(lambda self: self.connections)
    @rule(data=st.data())
    def take_orders(self, data: st.DataObject) -> None:
        device_id = data.draw(st.sampled_from(sorted(self.connections)))
        self._take_orders(device_id)

    def _take_orders(self, device_id: str) -> None:
        known = {sent.attempt_id for sent in self.sent.values()}
        for order in self.loop.run(self.orders.for_device(device_id, known=known)):
            if isinstance(order, StartAttempt):
                plan = order.plan
                assert plan.attempt_id not in self.sent, "an attempt was started twice"
                self.sent[plan.attempt_id] = Sent(plan.attempt_id, plan.token, device_id)
            elif isinstance(order, CancelAttempt) and order.attempt_id in self.sent:
                self.sent[order.attempt_id].cancel = order.outcome

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def deliver_next(self, data: st.DataObject) -> None:
        sent = self._some(data)
        body = data.draw(_bodies(sent.cancel))
        if sent.reports and isinstance(sent.reports[-1].body, Ended):
            return  # a runner has nothing to say after its last word
        number = len(sent.reports) + 1
        was_ended = self.before.get(sent.attempt_id) in ENDED
        report = Report(sent.attempt_id, sent.token, number, body)
        answers = self._deliver(sent.device_id, report)
        assert Ack(sent.attempt_id, number, closed=isinstance(body, Ended)) in answers
        assert any(isinstance(answer, StaleAttempt) for answer in answers) == was_ended
        sent.reports.append(report)
        if isinstance(body, Log):
            sent.late_lines += len(body.records) * was_ended
            sent.lines += len(body.records) * (not was_ended)

    @precondition(lambda self: any(sent.reports for sent in self.sent.values()))
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        sent = self._some(data)
        if sent.reports:
            self._deliver(sent.device_id, data.draw(st.sampled_from(sent.reports)))

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), gap=st.integers(1, 3))
    def skip_ahead(self, data: st.DataObject, gap: int) -> None:
        sent = self._some(data)
        report = Report(
            sent.attempt_id, sent.token, len(sent.reports) + 1 + gap, data.draw(_bodies(sent.cancel))
        )
        assert self._deliver(sent.device_id, report) == [Ack(sent.attempt_id, len(sent.reports))]

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), fault=st.sampled_from(["token", "device", "attempt"]))
    def deliver_what_does_not_count(self, data: st.DataObject, fault: str) -> None:
        sent = self._some(data)
        others = [device_id for device_id in self.devices.values() if device_id != sent.device_id]
        attempt_id = new_id("att") if fault == "attempt" else sent.attempt_id
        token = "0" * 32 if fault == "token" else sent.token
        report = Report(attempt_id, token, len(sent.reports) + 1, Log((_record("not mine"),)))
        answers = self._deliver(others[0] if fault == "device" else sent.device_id, report)
        assert {type(answer) for answer in answers} == {StaleAttempt, Ack}

    # What must always hold.

    @invariant()
    def promises_hold(self) -> None:
        if hasattr(self, "loop"):
            self.loop.run(self._read(self._check))

    async def _check(self, session: AsyncSession) -> None:
        runs = {run.id: run for run in await session.scalars(select(Run))}
        attempts = (await session.scalars(select(Attempt).order_by(Attempt.number))).all()
        assert sorted(runs) == sorted(self.run_ids), "a run was lost or doubled"
        self._check_nothing_ended_changes([*runs.values(), *attempts])
        self._check_attempts(runs, attempts)
        await self._check_reports(session, attempts)
        await self._check_told(session)

    def _check_nothing_ended_changes(self, rows: list[Run | Attempt]) -> None:
        for row in rows:
            if row.state not in ENDED:
                assert row.id not in self.seen_ended, f"{row.id} lives again"
                continue
            ignored = {
                "last_report",
                "_sa_instance_state",
            }  # what came late is counted, and changes nothing else
            shown = {
                name: msgspec.to_builtins(value) for name, value in vars(row).items() if name not in ignored
            }
            assert self.seen_ended.setdefault(row.id, shown) == shown
            assert row.ended_at is not None

    def _check_attempts(self, runs: dict[str, Run], attempts: Any) -> None:
        active = [attempt for attempt in attempts if attempt.state in ACTIVE]
        assert all(count == 1 for count in Counter(attempt.run_id for attempt in active).values())
        by_device = Counter(attempt.device_id for attempt in active)
        assert all(by_device[device_id] <= SLOTS[name] for name, device_id in self.devices.items())
        by_bot = Counter(runs[attempt.run_id].bot_name for attempt in active)
        assert all(most is None or by_bot[name] <= most for name, most in MOST_AT_ONCE.items())
        current = {attempt.run_id: attempt.state for attempt in active}
        for run in runs.values():
            assert current.get(run.id) == (run.state if run.state in ACTIVE else None)
            numbers = [attempt.number for attempt in attempts if attempt.run_id == run.id]
            assert numbers == list(range(1, run.attempt_count + 1))
        for attempt in attempts:
            before = self.before.get(attempt.id, State.ASSIGNED)
            assert attempt.state == before or _can_become(before, attempt.state)
            self.before[attempt.id] = attempt.state

    async def _check_reports(self, session: AsyncSession, attempts: Any) -> None:
        kept = select(LogChunk.attempt_id, LogChunk.late, func.sum(LogChunk.line_count))
        lines = {
            (row[0], row[1]): row[2]
            for row in await session.execute(kept.group_by(LogChunk.attempt_id, LogChunk.late))
        }
        for attempt in attempts:
            sent = self.sent.get(attempt.id)
            assert attempt.last_report == (len(sent.reports) if sent else 0)
            assert attempt.log_lines == lines.get((attempt.id, False), 0) == (sent.lines if sent else 0)
            assert lines.get((attempt.id, True), 0) == (sent.late_lines if sent else 0)

    async def _check_told(self, session: AsyncSession) -> None:
        """Every change of a run's state stands in its history, in the audit log and among the events."""
        history = select(RunHistory.run_id, RunHistory.state).where(RunHistory.kind == HistoryKind.STATE)
        told = [(run_id, f"run.{state}") for run_id, state in await session.execute(history)]
        names = [f"run.{state.value}" for state in State]
        audited = select(AuditEntry.target_id, AuditEntry.action).where(AuditEntry.action.in_(names))
        announced = select(EventRow.subject, EventRow.kind).where(EventRow.kind.in_(names))
        assert Counter(told) == Counter(tuple(row) for row in await session.execute(audited))
        assert Counter(told) == Counter(tuple(row) for row in await session.execute(announced))

    def _some(self, data: st.DataObject) -> Sent:
        return self.sent[data.draw(st.sampled_from(list(self.sent)))]

    def _deliver(self, device_id: str, report: Report) -> list[FromServer]:
        return self.loop.run(self.applier.apply([Delivery(device_id, [report])]))[0]

    async def _read(self, question: Callable[[AsyncSession], Awaitable[T]]) -> T:
        async with AsyncExitStack() as stack:
            return await question(await stack.enter_async_context(self.database.read()))

    async def _device_ids(self, session: AsyncSession) -> dict[str, str]:
        rows = await session.execute(select(Device.name, Device.id))
        return {row.name: row.id for row in rows}


def _can_become(before: State, after: State) -> bool:
    """Say whether a state may follow another, over one state in between: one report may start and end."""
    nexts = ATTEMPT_TRANSITIONS[before]
    return after in nexts or any(after in ATTEMPT_TRANSITIONS[between] for between in nexts)


def _record(text: str) -> LogRecord:
    return LogRecord(BEGUN.timestamp(), Stream.STDOUT, Level.INFO, text)


def _bodies(cancel: Outcome | None) -> st.SearchStrategy[ReportBody]:
    time = BEGUN.timestamp()
    logs = st.integers(1, 3).map(lambda count: Log(tuple(_record(f"line {n}") for n in range(count))))
    ends = st.sampled_from([cancel] if cancel else list(Outcome)).map(lambda end: Ended(time, end, 0, "End."))
    return st.one_of(
        st.just(Started(time, True, "env", 1)),
        st.sampled_from([Paused(time), Resumed(time), Progress(0.5), Output("total", 3)]),
        logs,
        ends,
    )


TestLifeOfARun = LifeOfARun.TestCase
TestLifeOfARun.settings = settings(
    max_examples=20,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
