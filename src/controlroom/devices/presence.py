"""Who is there: connections are written when they begin and end, and seen again in batches while they last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, delete, select, update

from controlroom.devices.errors import DeviceKeyRefused
from controlroom.devices.joining import secret_hash
from controlroom.devices.models import Device, DeviceMode, PresenceChange
from controlroom.foundation import outbox
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction
from controlroom.protocol import PROTOCOL_VERSION
from controlroom.protocol.messages import DeviceFacts

_BATCH = 500
_MISSED_HEARTBEATS = 3
_REMEMBERED = timedelta(days=90)
_FORGOTTEN_AT_ONCE = 5_000
_DISPATCH_TOPIC = "dispatch"


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device whose key counts."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Presence:
    """Connections of devices, as the database knows them. ``node_id`` names this node."""

    database: Database
    clock: Clock
    node_id: str

    async def device_of_key(self, key: str) -> KnownDevice:
        """Return the device of a key; raise `DeviceKeyRefused` where it is unknown, disabled or revoked."""
        async with self.database.read() as session:
            found = await session.execute(
                select(Device.id, Device.name, Device.mode).where(Device.key_hash == secret_hash(key))
            )
            row = found.one_or_none()
        if row is None or row.mode is DeviceMode.REVOKED:
            raise DeviceKeyRefused(
                "The device's key is unknown or was revoked; join again with a new join token."
            )
        return KnownDevice(row.id, row.name)

    async def mode_of(self, device_id: str) -> DeviceMode | None:
        """Return what is wanted of a device, None where there is none."""
        async with self.database.read() as session:
            return await session.scalar(select(Device.mode).where(Device.id == device_id))

    async def connected(
        self,
        device_id: str,
        connection_id: str,
        facts: DeviceFacts,
        *,
        protocol_version: int = PROTOCOL_VERSION,
    ) -> Device:
        """Write that a device is connected here now; an older connection of it counts no more."""
        now = self.clock.now()
        async with self.database.write() as transaction:
            device = await transaction.session.get_one(Device, device_id)
            device.node_id, device.connection_id = self.node_id, connection_id
            device.connected_at = device.seen_at = now
            device.facts, device.protocol_version = msgspec.to_builtins(facts), protocol_version
            _note(transaction, device_id, now, is_connected=True)
            outbox.emit(
                transaction, time=now, kind="device.connected", subject=device_id, data={"name": device.name}
            )
            transaction.wake(_DISPATCH_TOPIC)
            return device

    async def disconnected(self, device_id: str, connection_id: str) -> None:
        """Write that a connection has ended, unless a newer one has taken its place."""
        now = self.clock.now()
        async with self.database.write() as transaction:
            device = await transaction.session.get(Device, device_id)
            if device is None or device.connection_id != connection_id:
                return
            device.connected_at = device.node_id = device.connection_id = None
            device.seen_at = now
            _note(transaction, device_id, now, is_connected=False, reason="The connection ended.")
            outbox.emit(
                transaction,
                time=now,
                kind="device.disconnected",
                subject=device_id,
                data={"name": device.name},
            )

    async def seen(self, connection_ids: Sequence[str]) -> frozenset[str]:
        """Write that these connections live, and return those that still count.

        The others were taken for gone while this node could not write, or have made way for a newer connection.
        """
        counting: set[str] = set()
        for start in range(0, len(connection_ids), _BATCH):
            batch = connection_ids[start : start + _BATCH]
            async with self.database.write() as transaction:
                await (
                    transaction.session.connection()
                )  # may wait for a lock, and the time must be that of the write
                known = await transaction.session.scalars(
                    update(Device)
                    .where(Device.connection_id.in_(batch))
                    .values(seen_at=self.clock.now())
                    .returning(Device.connection_id)
                    .execution_options(synchronize_session=False)
                )
                counting |= {connection_id for connection_id in known if connection_id is not None}
        return frozenset(counting)

    async def forget_silent(self, heartbeat_seconds: float) -> None:
        """Mark as gone the devices whose node died without saying so."""
        now = self.clock.now()
        limit = now - timedelta(seconds=heartbeat_seconds * _MISSED_HEARTBEATS)
        await self._forget(now, Device.seen_at < limit, "It fell silent.")

    async def forget_all(self) -> None:
        """Mark every device as gone: what a node does at its start where it is the only one."""
        await self._forget(self.clock.now(), Device.id.is_not(None), "The Control Room started anew.")

    async def _forget(self, now: datetime, condition: ColumnElement[bool], reason: str) -> None:
        async with self.database.read() as session:
            query = select(Device.id).where(Device.connected_at.is_not(None), condition)
            if await session.scalar(query.limit(1)) is None:
                return
        async with self.database.write() as transaction:
            for device in await transaction.session.scalars(
                select(Device).where(Device.connected_at.is_not(None), condition)
            ):
                device.connected_at = device.node_id = device.connection_id = None
                _note(transaction, device.id, now, is_connected=False, reason=reason)
                outbox.emit(
                    transaction,
                    time=now,
                    kind="device.disconnected",
                    subject=device.id,
                    data={"name": device.name},
                )


def _note(
    transaction: Transaction, device_id: str, now: datetime, *, is_connected: bool, reason: str = ""
) -> None:
    change = PresenceChange(device_id=device_id, time=now, is_connected=is_connected, reason=reason)
    transaction.session.add(change)


async def forget_old_presence(transaction: Transaction, now: datetime) -> None:
    """Forget when devices came and went more than ninety days ago; the sweep calls it now and then.

    At most so many rows go at once that the transaction stays short; the next call takes the rest.
    """
    oldest = select(PresenceChange.id, PresenceChange.time).order_by(PresenceChange.id)
    rows = await transaction.session.execute(oldest.limit(_FORGOTTEN_AT_ONCE))
    found = [number for number, time in rows if time < now - _REMEMBERED]
    for start in range(0, len(found), _BATCH):
        part = found[start : start + _BATCH]
        await transaction.session.execute(delete(PresenceChange).where(PresenceChange.id.in_(part)))
