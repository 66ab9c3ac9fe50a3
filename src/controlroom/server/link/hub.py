"""The hub of a node's connections: greets runners, takes what they say, and tells them what the database wants of them."""

import asyncio
import time
from collections.abc import Mapping, Sequence

from controlroom.devices.models import DeviceMode
from controlroom.devices.presence import KnownDevice, Presence
from controlroom.devices.service import mode_topic
from controlroom.foundation.bus import Bus
from controlroom.foundation.errors import ControlRoomError
from controlroom.foundation.settings import Settings
from controlroom.foundation.telemetry import logger
from controlroom.protocol import OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION
from controlroom.protocol.messages import (
    Drain,
    FromRunner,
    Goodbye,
    Heartbeat,
    HeldAttempt,
    Hello,
    LeaseRenewed,
    Report,
    StaleAttempt,
    StartAttempt,
    Welcome,
)
from controlroom.runs.leases import Leases
from controlroom.runs.orders import Orders
from controlroom.runs.storable import storable_facts
from controlroom.runs.tokens import AttemptTokens
from controlroom.server.link.connection import Connection
from controlroom.server.link.intake import ReportIntake, is_sensible

_LEASE_FLUSH_SECONDS = 0.25
_SILENT_HEARTBEATS = 4
_MOST_KNOWN_ATTEMPTS = 5_000
_NOT_COUNTING = "This attempt does not count any more."

log = logger("server.link")


class LinkHub:
    """All connections of this node. Start `run_forever` once; transports call the rest."""

    def __init__(
        self,
        *,
        bus: Bus,
        presence: Presence,
        orders: Orders,
        leases: Leases,
        intake: ReportIntake,
        tokens: AttemptTokens,
        settings: Settings,
    ) -> None:
        self._bus = bus
        self._presence = presence
        self._orders = orders
        self._leases = leases
        self._intake = intake
        self._tokens = tokens
        self._settings = settings
        self._connections: dict[str, Connection] = {}
        self._heard: dict[str, float] = {}
        self._to_renew: dict[str, tuple[Connection, Sequence[HeldAttempt], int]] = {}
        """By device: what its newest heartbeat names, and that heartbeat's number."""
        self._loads: dict[str, tuple[float, float]] = {}

    @property
    def loads(self) -> Mapping[str, tuple[float, float]]:
        """Processor and memory use, 0 to 1, that each connected device last told."""
        return self._loads

    @property
    def count(self) -> int:
        """Return how many runners are connected here."""
        return len(self._connections)

    async def greet(self, device: KnownDevice, hello: Hello) -> Connection:
        """Accept a runner; an older connection of the same device is closed."""
        connection = Connection(device.id, device.name)
        if not OLDEST_PROTOCOL_VERSION <= hello.protocol_version <= PROTOCOL_VERSION:
            connection.refuse(
                f"This server speaks protocol {OLDEST_PROTOCOL_VERSION} to {PROTOCOL_VERSION}, the runner {hello.protocol_version}; upgrade the older."
            )
            return connection
        row = await self._presence.connected(
            device.id,
            connection.id,
            storable_facts(hello.facts),
            protocol_version=hello.protocol_version,
        )
        before = self._connections.get(device.id)
        if before is not None:
            before.refuse("The device has connected anew.")
        self._connections[device.id] = connection
        connection.send(
            Welcome(
                device_id=device.id,
                device_name=device.name,
                server_time=time.time(),
                heartbeat_seconds=self._settings.heartbeat_seconds,
                lease_seconds=self._settings.lease_seconds,
            )
        )
        connection.send(Drain(row.mode != DeviceMode.ACTIVE))
        self._hear(connection, hello.held, heartbeat=0)
        await self._send_orders(connection)
        log.info("runner.connected", device_id=device.id, held=len(hello.held))
        return connection

    async def leave(self, connection: Connection) -> None:
        """Take note that a connection has ended."""
        connection.close()
        if self._connections.get(connection.device_id) is connection:
            del self._connections[connection.device_id]
            self._heard.pop(connection.device_id, None)
            self._loads.pop(connection.device_id, None)
        try:
            await self._presence.disconnected(connection.device_id, connection.id)
        except ControlRoomError as error:
            log.warning("presence.delayed", device_id=connection.device_id, reason=error.detail)
        log.info("runner.disconnected", device_id=connection.device_id)

    async def receive(self, connection: Connection, messages: Sequence[FromRunner]) -> None:
        """Take messages of a runner, in their order."""
        reports: list[Report] = []
        for message in messages:
            match message:
                case Report():
                    if not is_sensible(message):
                        connection.refuse("A report breaks the protocol's bounds.")
                        return
                    reports.append(message)
                case Heartbeat():
                    self._hear(connection, message.held, heartbeat=message.number)
                    self._loads[connection.device_id] = (message.load, message.memory_used_fraction)
                case Goodbye():
                    connection.close()
                case Hello():
                    connection.refuse("A second hello on one connection.")
                    return
        if reports:
            self._heard[connection.device_id] = time.monotonic()
            await self._intake.take(connection, reports)

    def _hear(self, connection: Connection, held: Sequence[HeldAttempt], *, heartbeat: int) -> None:
        self._heard[connection.device_id] = time.monotonic()
        if len(connection.known_attempts) > _MOST_KNOWN_ATTEMPTS:
            connection.known_attempts.clear()  # an order that comes again is let be by its runner
        connection.known_attempts |= {attempt.attempt_id for attempt in held[:_MOST_KNOWN_ATTEMPTS]}
        if held:
            self._to_renew[connection.device_id] = (connection, held, heartbeat)

    async def run_forever(self) -> None:
        """Keep leases, presence and orders in step until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._intake.run_forever())
            tasks.create_task(self._follow_orders())
            tasks.create_task(self._follow_modes())
            tasks.create_task(self._renew_leases())
            tasks.create_task(self._keep_presence())

    def close(self) -> None:
        """End every connection, as the node stops."""
        for connection in tuple(self._connections.values()):
            connection.close()

    async def _follow_orders(self) -> None:
        async with self._bus.subscribe("device:*") as subscription:
            while True:
                woken = await subscription.wait(self._settings.sweep_seconds)
                device_ids = [topic.removeprefix("device:") for topic in woken] or tuple(self._connections)
                for device_id in device_ids:
                    connection = self._connections.get(device_id)
                    if connection is not None and (woken or connection.known_attempts):
                        await self._send_orders(connection)

    async def _send_orders(self, connection: Connection) -> None:
        try:
            orders = await self._orders.for_device(connection.device_id, known=connection.known_attempts)
        except ControlRoomError as error:
            log.warning("orders.delayed", device_id=connection.device_id, reason=error.detail)
            return
        for order in orders:
            connection.send(order)
            if isinstance(order, StartAttempt):
                connection.known_attempts.add(order.plan.attempt_id)

    async def _follow_modes(self) -> None:
        async with self._bus.subscribe(mode_topic("*")) as subscription:
            while True:
                for topic in await subscription.wait(self._settings.sweep_seconds):
                    connection = self._connections.get(topic.removeprefix(mode_topic("")))
                    if connection is not None:
                        await self._tell_mode(connection)

    async def _tell_mode(self, connection: Connection) -> None:
        try:
            mode = await self._presence.mode_of(connection.device_id)
        except ControlRoomError as error:
            log.warning("mode.delayed", device_id=connection.device_id, reason=error.detail)
            return
        if mode in (None, DeviceMode.REVOKED):
            connection.refuse("The device was revoked; join again with a new join token.")
        else:
            connection.send(Drain(mode is not DeviceMode.ACTIVE))

    async def _renew_leases(self) -> None:
        while True:
            await asyncio.sleep(_LEASE_FLUSH_SECONDS)
            waiting, self._to_renew = self._to_renew, {}
            if waiting:
                await self._renew(list(waiting.values()))

    async def _renew(self, waiting: Sequence[tuple[Connection, Sequence[HeldAttempt], int]]) -> None:
        valid = [
            held.attempt_id
            for _, all_held, _ in waiting
            for held in all_held
            if self._tokens.is_valid(held.attempt_id, held.token)
        ]
        try:
            active = await self._leases.renew(valid)
        except ControlRoomError as error:
            log.warning("leases.delayed", reason=error.detail, attempts=len(valid))
            return
        for connection, all_held, heartbeat in waiting:
            renewed = tuple(held.attempt_id for held in all_held if held.attempt_id in active)
            if renewed:
                connection.send(LeaseRenewed(renewed, heartbeat))
            for held in all_held:
                if held.attempt_id not in active and held.running:
                    connection.send(StaleAttempt(held.attempt_id, _NOT_COUNTING))

    async def _keep_presence(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            limit = time.monotonic() - self._settings.heartbeat_seconds * _SILENT_HEARTBEATS
            for connection in tuple(self._connections.values()):
                if self._heard.get(connection.device_id, 0) < limit:
                    connection.refuse("Nothing was heard for too long.")
            try:
                await self._tell_presence()
            except ControlRoomError as error:
                log.warning("presence.delayed", reason=error.detail)

    async def _tell_presence(self) -> None:
        told = tuple(self._connections.values())
        counting = await self._presence.seen([connection.id for connection in told])
        for connection in told:
            if connection.id not in counting:
                connection.refuse("The device was taken for gone; connect anew.")
        await self._presence.forget_silent(self._settings.heartbeat_seconds)
