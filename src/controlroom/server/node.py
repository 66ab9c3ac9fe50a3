"""All parts of one node, put together once and handed to whoever needs them."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

from fastapi import FastAPI

from controlroom.administration.about import AboutService
from controlroom.administration.changes import LiveSettingsService
from controlroom.administration.checks import CHECKS
from controlroom.administration.components import CheckedParts, ComponentChecks
from controlroom.administration.consequences import consequences_of
from controlroom.audit.retention import Kept
from controlroom.audit.service import AuditService
from controlroom.audit.signing import Signer
from controlroom.audit.syslog.connection import collector_of
from controlroom.audit.syslog.delivery import SyslogDelivery
from controlroom.bots.service import BotService
from controlroom.devices.joining import JoinService
from controlroom.devices.presence import Presence
from controlroom.devices.service import DeviceService
from controlroom.filters.service import FilterService
from controlroom.foundation.blobs import BlobStore
from controlroom.foundation.bus.memory import MemoryBus
from controlroom.foundation.cache.memory import MemoryCache
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.ids import new_id
from controlroom.foundation.live_settings import LiveSettings
from controlroom.foundation.settings import Settings
from controlroom.foundation.telemetry import logger
from controlroom.identity.service import IdentityService
from controlroom.insight.service import InsightService
from controlroom.runs.dispatch import Dispatcher
from controlroom.runs.files import AttemptFiles
from controlroom.runs.input_files.service import InputFileService
from controlroom.runs.leases import Leases
from controlroom.runs.orders import Orders
from controlroom.runs.reports import ReportApplier
from controlroom.runs.service import RunService
from controlroom.runs.tokens import AttemptTokens
from controlroom.server.keys import server_key
from controlroom.server.leftovers import Leftovers
from controlroom.server.link.hub import LinkHub
from controlroom.server.link.intake import ReportIntake
from controlroom.server.link.long_poll import PollSessions, sweep_sessions
from controlroom.server.lists import LISTS
from controlroom.server.live.events import EventHub
from controlroom.server.live.gathering import Gathering
from controlroom.server.migrations.upgrade import newest_revision, upgrade
from controlroom.server.sweep import Sweep
from controlroom.sites.service import SiteService
from controlroom.web.live.budget import LiveBudget
from controlroom.web.live.parts import LiveParts

log = logger("server.node")


@dataclass(frozen=True, slots=True)
class Node:
    """The parts that routes and pages find in ``app.state``, and those that run in the background."""

    settings: Settings
    clock: Clock
    database: Database
    bus: MemoryBus
    cache: MemoryCache
    blobs: BlobStore
    identity: IdentityService
    audit: AuditService
    bots: BotService
    devices: DeviceService
    joining: JoinService
    insight: InsightService
    presence: Presence
    runs: RunService
    input_files: InputFileService
    filters: FilterService
    sites: SiteService
    attempt_files: AttemptFiles
    hub: LinkHub
    poll_sessions: PollSessions
    events: EventHub
    gathering: Gathering
    live_budget: LiveBudget
    live_parts: LiveParts
    dispatcher: Dispatcher
    sweep: Sweep
    leftovers: Leftovers
    live: LiveSettings
    live_settings: LiveSettingsService
    components: ComponentChecks
    about: AboutService

    def publish_to(self, app: FastAPI) -> None:
        """Put every part into the app's state under its name."""
        for name in self.__slots__:
            setattr(app.state, name, getattr(self, name))

    async def run_forever(self) -> None:
        """Run the background parts until cancelled; if one breaks, all end and the node with them."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.events.run_forever())
            tasks.create_task(self.gathering.run_forever())
            tasks.create_task(self.hub.run_forever())
            tasks.create_task(self.dispatcher.run_forever())
            tasks.create_task(self.sweep.run_forever())
            tasks.create_task(self.leftovers.run_forever())
            tasks.create_task(self.live_settings.run_forever())
            tasks.create_task(self.audit.keep_sealed())
            tasks.create_task(self.audit.keep_retention())
            if (collector := collector_of(self.settings)) is not None:
                delivery = SyslogDelivery(
                    self.database, self.clock, collector, socket.gethostname(), self.presence.node_id
                )
                tasks.create_task(delivery.run_forever())
            tasks.create_task(sweep_sessions(self.poll_sessions, self.hub, self.settings.sweep_seconds))


@asynccontextmanager
async def open_node(settings: Settings, clock: Clock) -> AsyncIterator[Node]:
    """Migrate the database, build the node, and close everything at the end."""
    key = server_key(settings)
    database = Database(settings.effective_database_url)
    try:
        before, after = await upgrade(database)
        if before != after:
            log.info("database.migrated", before=before, after=after)
        node = build_node(settings, clock, database, key)
        await node.live_settings.bring_up_to_date()
        await node.events.start()
        if database.is_sqlite:
            await node.presence.forget_all()
        try:
            yield node
        finally:
            await node.audit.seal_if_possible()
            await node.identity.close()
    finally:
        await database.close()


def build_node(settings: Settings, clock: Clock, database: Database, key: bytes) -> Node:
    """Put the parts of a node together; nothing runs yet."""
    live = LiveSettings.of(settings)
    bus, cache, chance = MemoryBus(), MemoryCache(clock), Random()  # noqa: S311  # nosec B311: spreads delays, keeps no secret
    database.wake_with(bus.wake)
    blobs = BlobStore(settings.data_folder / "blobs")
    tokens = AttemptTokens(key)
    presence = Presence(database, clock, new_id("nod"))
    leases = Leases(database, clock, settings, chance)
    audit = AuditService(
        database,
        clock,
        key,
        Signer(settings.data_folder),
        is_sent=bool(settings.audit_syslog_host),
        kept=Kept(lambda: live.audit_retention_days, settings.audit_export_folder),
    )
    hub = LinkHub(
        bus=bus,
        presence=presence,
        orders=Orders(database, clock, settings, tokens),
        leases=leases,
        intake=ReportIntake(ReportApplier(database, clock, tokens, chance)),
        tokens=tokens,
        settings=settings,
    )
    events, live_budget = EventHub(database, bus), LiveBudget()
    return Node(
        settings=settings,
        clock=clock,
        database=database,
        bus=bus,
        cache=cache,
        blobs=blobs,
        identity=IdentityService(database, cache, clock, settings, secret_key=key, live=live),
        audit=audit,
        bots=BotService(database, blobs, clock, settings),
        devices=DeviceService(database, clock),
        joining=JoinService(database, clock),
        insight=InsightService(database, clock, settings),
        presence=presence,
        runs=RunService(database, blobs, clock, settings),
        input_files=InputFileService(database, blobs, clock, settings),
        filters=FilterService(database, clock, LISTS),
        sites=SiteService(database, clock),
        attempt_files=AttemptFiles(database, blobs, clock, settings, tokens),
        hub=hub,
        poll_sessions=PollSessions(),
        events=events,
        gathering=Gathering(events, live_budget),
        live_budget=live_budget,
        live_parts=LiveParts(),
        dispatcher=Dispatcher(database, bus, clock, settings),
        sweep=Sweep(database, clock, settings, leases, live),
        leftovers=Leftovers(database, blobs, clock, settings, live),
        live=live,
        live_settings=LiveSettingsService(database, clock, settings, live, consequences_of(audit, clock)),
        components=ComponentChecks(CheckedParts(database, blobs, bus, cache, clock, settings, audit), CHECKS),
        about=AboutService(database, clock, settings, presence.node_id, schema=newest_revision()),
    )
