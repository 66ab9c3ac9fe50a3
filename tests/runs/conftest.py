"""The parts of a run's life on a database of each kind, with one published bot and devices that tests connect."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select, update

from conftest import SteeredClock
from controlroom.audit.actor import SYSTEM
from controlroom.bots.models import Bot
from controlroom.bots.service import BotService
from controlroom.devices.models import Device, DeviceMode
from controlroom.devices.presence import Presence
from controlroom.devices.service import DeviceService
from controlroom.foundation.blobs import BlobStore
from controlroom.foundation.bus.memory import MemoryBus
from controlroom.foundation.database import Database
from controlroom.foundation.ids import new_id
from controlroom.foundation.settings import Settings
from controlroom.identity.service import local_caller
from controlroom.protocol.messages import DeviceFacts, FromServer, Report, ReportBody, Started
from controlroom.runs.dispatch import Dispatcher
from controlroom.runs.files import AttemptFiles
from controlroom.runs.leases import Leases
from controlroom.runs.models import Attempt, Run, RunHistory
from controlroom.runs.orders import Orders
from controlroom.runs.reports import Delivery, ReportApplier
from controlroom.runs.schemas import RunIn
from controlroom.runs.service import RunService
from controlroom.runs.tokens import AttemptTokens
from serving import package_of, script

CALLER = local_caller(SYSTEM)
FACTS = DeviceFacts("host", "linux", "6", "x86_64", "3.11", "0", 1, 1)
PACKAGE = package_of(
    script(
        "print('hello')",
        inputs={"amount": {"type": "integer", "minimum": 1, "default": 7}, "note": {"type": "string", "default": ""}},
        labels=["os=linux"],
        timeout=30,
        retry={"on": "loss", "count": 1, "backoff": 4},
    ),
    "orders",
)  # fmt: skip


@dataclass
class Room:
    """What the tests of this room work with; ``numbers`` are the last report of each attempt."""

    database: Database
    clock: SteeredClock
    settings: Settings
    tokens: AttemptTokens
    bus: MemoryBus
    bots: BotService
    devices: DeviceService
    presence: Presence
    runs: RunService
    files: AttemptFiles
    dispatcher: Dispatcher
    leases: Leases
    orders: Orders
    applier: ReportApplier
    numbers: dict[str, int] = field(default_factory=dict)

    async def device(self, name: str = "one", *, slots: int = 1, labels: tuple[str, ...] = ()) -> str:
        """Add a device that is connected and has the bot's label; return its id."""
        device_id, now = new_id("dev"), self.clock.now()
        async with self.database.write() as transaction:
            transaction.session.add(
                Device(
                    id=device_id, name=name, key_hash=name, mode=DeviceMode.ACTIVE, slots=slots, labels=["os=linux", *labels],
                    facts={}, joined_at=now, updated_at=now, revision=1,
                )
            )  # fmt: skip
        await self.presence.connected(device_id, new_id("con"), FACTS)
        return device_id

    async def limit(self, most_at_once: int) -> None:
        """Allow so many runs of the bot at once."""
        async with self.database.write() as transaction:
            await transaction.session.execute(update(Bot).values(most_at_once=most_at_once))

    async def ask(self, **wanted: object) -> Run:
        """Ask for a run of the bot."""
        run, _ = await self.runs.request(CALLER, RunIn(bot="orders", **wanted))
        return run

    async def start(self, **wanted: object) -> Attempt:
        """Ask for a run, assign it and report that it started; return its attempt."""
        run = await self.ask(**wanted)
        await self.dispatcher.assign_all()
        attempt = await self.attempt_of(run.id)
        await self.report(attempt, Started(self.clock.now().timestamp(), warm=True, environment="e", pid=1))
        return await self.attempt_of(run.id)

    async def report(self, attempt: Attempt, *bodies: ReportBody) -> list[FromServer]:
        """Deliver the attempt's next reports."""
        reports = []
        for body in bodies:
            self.numbers[attempt.id] = self.numbers.get(attempt.id, 0) + 1
            token = self.tokens.token_for(attempt.id)
            reports.append(Report(attempt.id, token, self.numbers[attempt.id], body))
        return (await self.applier.apply([Delivery(attempt.device_id, reports)]))[0]

    async def run(self, run_id: str) -> Run:
        """Return a run as it stands."""
        return await self.runs.get(CALLER, run_id)

    async def attempt_of(self, run_id: str) -> Attempt:
        """Return a run's newest attempt."""
        return (await self.runs.attempts(CALLER, run_id))[-1]

    async def history(self, run_id: str) -> list[str]:
        """Return what a run's history tells, oldest first: its states, and the messages of the rest."""
        async with self.database.read() as session:
            rows = await session.scalars(
                select(RunHistory).where(RunHistory.run_id == run_id).order_by(RunHistory.id)
            )
            return [row.state.value if row.state else row.message for row in rows]


@pytest.fixture
async def room(database: Database, tmp_path: Path, clock: SteeredClock) -> Room:
    settings = Settings(data_folder=tmp_path, lease_seconds=45, heartbeat_seconds=10, cancel_grace_seconds=10)
    blobs, bus, tokens, chance = (
        BlobStore(tmp_path / "blobs"),
        MemoryBus(),
        AttemptTokens(b"a key for the tests of runs"),
        Random(1),
    )
    database.wake_with(bus.wake)
    bots = BotService(database, blobs, clock, settings)
    await bots.publish(CALLER, once(PACKAGE), name="orders")
    return Room(
        database,
        clock,
        settings,
        tokens,
        bus,
        bots,
        DeviceService(database, clock),
        Presence(database, clock, new_id("nod")),
        RunService(database, blobs, clock, settings),
        AttemptFiles(database, blobs, clock, settings, tokens),
        Dispatcher(database, bus, clock, settings),
        Leases(database, clock, settings, chance),
        Orders(database, clock, settings, tokens),
        ReportApplier(database, clock, tokens, chance),
    )


async def once(content: bytes) -> AsyncIterator[bytes]:
    """Give content as a stream of one piece."""
    yield content
