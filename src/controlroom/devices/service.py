"""What one can do with devices and pools: see, edit, drain, disable and revoke them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, cast, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit import service as audit
from controlroom.devices.errors import DeviceNotFound, NameTaken
from controlroom.devices.loads import PoolLoad, read_pool_loads, read_taken
from controlroom.devices.models import (
    Device,
    DeviceMode,
    DevicePool,
    PoolMember,
    PresenceChange,
)
from controlroom.devices.pools import POOL_GRAMMAR, find_pool, members_of, pool_out, set_members
from controlroom.devices.rights import devices_for, place_of_device, pools_for
from controlroom.devices.schemas import DeviceEditIn, PoolIn, PoolOut
from controlroom.foundation import outbox
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction
from controlroom.foundation.errors import Conflict, FieldError, Invalid, PreconditionFailed
from controlroom.foundation.ids import new_id
from controlroom.foundation.paging import Field, Grammar, Kind, Page, PageRequest, fetch_page
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission

_DISPATCH_TOPIC = "dispatch"
_PRESENCE_SHOWN = 50
_NAMES_AT_ONCE = 500


def mode_topic(device_id: str) -> str:
    """Return the topic that is woken when what is wanted of a device has changed."""
    return f"device-mode:{device_id}"


def _is_connected(value: str) -> Any:
    if value not in ("yes", "no"):
        raise Invalid(
            f"'connected' is yes or no, not '{value}'.", fields=(FieldError("/filter", "yes or no"),)
        )
    return Device.connected_at.is_not(None) if value == "yes" else Device.connected_at.is_(None)


def _is_in_pool(value: str) -> ColumnElement[bool]:
    members = select(PoolMember.device_id).join(DevicePool, DevicePool.id == PoolMember.pool_id)
    return Device.id.in_(members.where((DevicePool.id == value) | (DevicePool.name == value)))


GRAMMAR = Grammar(
    fields={
        "name": Field(Device.name, sortable=True),
        "mode": Field(Device.mode, Kind.CHOICE, tuple(DeviceMode)),
        "label": Field(
            Device.labels,
            matches=lambda value: cast(Device.labels, String).contains(f'"{value}"', autoescape=True),
        ),
        "connected": Field(Device.connected_at, matches=_is_connected),
        "pool": Field(Device.id, matches=_is_in_pool),
        "joined": Field(Device.joined_at, Kind.MOMENT, sortable=True),
    },
    key=Device.id,
    text=(Device.name,),
    default_sort="name",
)


class DeviceService:
    """Devices and pools, as ``app.state.devices``."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list(self, caller: Caller, request: PageRequest) -> Page[Device]:
        """Return a page of devices, by name unless asked otherwise."""
        caller.require(Permission.DEVICE_READ)
        async with self._database.read() as session:
            query = select(Device).where(*devices_for(caller, Permission.DEVICE_READ))
            return await fetch_page(session, query, GRAMMAR, request)

    async def get(self, caller: Caller, device_id: str) -> Device:
        """Return a device by id or name."""
        async with self._database.read() as session:
            return await _device(session, caller, Permission.DEVICE_READ, device_id)

    async def edit(self, caller: Caller, device_id: str, wanted: DeviceEditIn, revision: int) -> Device:
        """Change a device; raise `PreconditionFailed` where it is no longer at this revision.

        A revoked device stays revoked: its machine must join anew.
        """
        now = self._clock.now()
        async with self._database.write() as transaction:
            session = transaction.session
            device = await _device(session, caller, Permission.DEVICE_MANAGE, device_id, lock=True)
            if device.revision != revision:
                raise PreconditionFailed(
                    "Someone changed this device since you read it; read it again and repeat your change."
                )
            if device.mode is DeviceMode.REVOKED:
                raise Conflict(f"The device '{device.name}' was revoked; let its machine join anew.")
            changes = wanted.model_dump(exclude_none=True)
            if "name" in changes:
                await _check_name_is_free(session, Device, changes["name"], device.id)
            before = {name: getattr(device, name) for name in changes}
            for name, value in changes.items():
                setattr(device, name, value)
            device.revision, device.updated_at = device.revision + 1, now
            _tell(
                transaction,
                caller,
                "device.edited",
                device.id,
                device.name,
                now,
                {"before": before, "after": changes},
            )
            transaction.wake(_DISPATCH_TOPIC)
            transaction.wake(mode_topic(device.id))
            return device

    async def presence(self, caller: Caller, device_id: str) -> Sequence[PresenceChange]:
        """Return when a device came and went, newest first, the last fifty times."""
        async with self._database.read() as session:
            device = await _device(session, caller, Permission.DEVICE_READ, device_id)
            query = select(PresenceChange).where(PresenceChange.device_id == device.id)
            return (
                await session.scalars(query.order_by(PresenceChange.id.desc()).limit(_PRESENCE_SHOWN))
            ).all()

    async def names(self, caller: Caller, device_ids: Sequence[str]) -> dict[str, Device]:
        """Return those of some devices that the caller may see, by their ids."""
        caller.require(Permission.DEVICE_READ)
        async with self._database.read() as session:
            seen = devices_for(caller, Permission.DEVICE_READ)
            found: dict[str, Device] = {}
            for start in range(0, len(device_ids), _NAMES_AT_ONCE):
                ids = device_ids[start : start + _NAMES_AT_ONCE]
                query = select(Device).where(Device.id.in_(ids), *seen)
                found |= {device.id: device for device in await session.scalars(query)}
        return found

    async def by_name(self, caller: Caller, names: Sequence[str]) -> dict[str, Device]:
        """Return those of some devices that the caller may see, by their names."""
        caller.require(Permission.DEVICE_READ)
        found: dict[str, Device] = {}
        async with self._database.read() as session:
            seen = devices_for(caller, Permission.DEVICE_READ)
            for start in range(0, len(names), _NAMES_AT_ONCE):
                query = select(Device).where(Device.name.in_(names[start : start + _NAMES_AT_ONCE]), *seen)
                found |= {device.name: device for device in await session.scalars(query)}
        return found

    async def managed(self, caller: Caller, device_ids: Sequence[str]) -> frozenset[str]:
        """Return those of some devices that the caller may change."""
        caller.require(Permission.DEVICE_MANAGE)
        ours = devices_for(caller, Permission.DEVICE_MANAGE)
        found: set[str] = set()
        async with self._database.read() as session:
            for start in range(0, len(device_ids), _NAMES_AT_ONCE):
                ids = device_ids[start : start + _NAMES_AT_ONCE]
                found.update(await session.scalars(select(Device.id).where(Device.id.in_(ids), *ours)))
        return frozenset(found)

    async def set_mode(self, caller: Caller, device_id: str, mode: DeviceMode, revision: int) -> Device:
        """Activate, drain, disable or revoke a device."""
        return await self.edit(caller, device_id, DeviceEditIn(mode=mode), revision)

    async def taken_slots(self, caller: Caller) -> dict[str, int]:
        """Return how many attempts each device has at the moment."""
        caller.require(Permission.DEVICE_READ)
        async with self._database.read() as session:
            return await read_taken(session, devices_for(caller, Permission.DEVICE_READ))

    async def pool_loads(self, caller: Caller, pool_ids: Sequence[str]) -> dict[str, PoolLoad]:
        """Return how full pools are, of the devices that the caller sees; a pool without any is not in it."""
        caller.require(Permission.DEVICE_READ)
        async with self._database.read() as session:
            return await read_pool_loads(session, pool_ids, devices_for(caller, Permission.DEVICE_READ))

    async def pools_page(self, caller: Caller, request: PageRequest) -> Page[PoolOut]:
        """Return a page of pools with their members, by name unless asked otherwise."""
        caller.require(Permission.DEVICE_READ)
        async with self._database.read() as session:
            query = select(DevicePool).where(*pools_for(caller, Permission.DEVICE_READ))
            found: Page[DevicePool] = await fetch_page(session, query, POOL_GRAMMAR, request)
            members = await members_of(session, [pool.id for pool in found.items])
            return Page([pool_out(pool, members) for pool in found.items], found.next_cursor)

    async def bare_pools_page(self, caller: Caller, request: PageRequest) -> Page[DevicePool]:
        """Return a page of pools without their members, by name unless asked otherwise."""
        caller.require(Permission.DEVICE_READ)
        async with self._database.read() as session:
            query = select(DevicePool).where(*pools_for(caller, Permission.DEVICE_READ))
            return await fetch_page(session, query, POOL_GRAMMAR, request)

    async def pools(self, caller: Caller) -> Sequence[PoolOut]:
        """Return every pool with its members."""
        caller.require(Permission.DEVICE_READ)
        async with self._database.read() as session:
            query = select(DevicePool).where(*pools_for(caller, Permission.DEVICE_READ))
            pools = (await session.scalars(query.order_by(DevicePool.name))).all()
            members = await members_of(session, [pool.id for pool in pools])
            return [pool_out(pool, members) for pool in pools]

    async def usable(self, caller: Caller, *, most: int) -> tuple[Sequence[Device], Sequence[DevicePool]]:
        """Return the devices and pools that the caller's runs may name, by name, so many of each."""
        devices = select(Device).where(
            Device.mode != DeviceMode.REVOKED, *devices_for(caller, Permission.DEVICE_USE)
        )
        pools = select(DevicePool).where(*pools_for(caller, Permission.DEVICE_USE))
        async with self._database.read() as session:
            return (
                (await session.scalars(devices.order_by(Device.name).limit(most))).all(),
                (await session.scalars(pools.order_by(DevicePool.name).limit(most))).all(),
            )

    async def pool(self, caller: Caller, pool_id: str) -> PoolOut:
        """Return one pool with its members."""
        async with self._database.read() as session:
            found = await find_pool(session, caller, Permission.DEVICE_READ, pool_id)
            return pool_out(found, await members_of(session, [found.id]))

    async def create_pool(self, caller: Caller, wanted: PoolIn) -> PoolOut:
        """Make a pool."""
        caller.require_everywhere(Permission.DEVICE_MANAGE)
        now = self._clock.now()
        async with self._database.write() as transaction:
            session = transaction.session
            await _check_name_is_free(session, DevicePool, wanted.name, "")
            pool = DevicePool(
                id=new_id("pol"),
                name=wanted.name,
                description=wanted.description,
                share=wanted.share,
                device_order=wanted.device_order,
                created_at=now,
                updated_at=now,
                revision=1,
            )
            session.add(pool)
            await session.flush()
            await set_members(session, caller, pool.id, wanted.device_ids)
            _tell(
                transaction, caller, "pool.created", pool.id, pool.name, now, wanted.model_dump(), kind="pool"
            )
            return pool_out(pool, await members_of(session, [pool.id]))

    async def edit_pool(self, caller: Caller, pool_id: str, wanted: PoolIn, revision: int) -> PoolOut:
        """Replace a pool's name, description and members; raise `PreconditionFailed` where it was changed meanwhile."""
        now = self._clock.now()
        async with self._database.write() as transaction:
            session = transaction.session
            pool = await find_pool(session, caller, Permission.DEVICE_MANAGE, pool_id, lock=True)
            if pool.revision != revision:
                raise PreconditionFailed(
                    "Someone changed this pool since you read it; read it again and repeat your change."
                )
            await _check_name_is_free(session, DevicePool, wanted.name, pool.id)
            before = pool_out(pool, await members_of(session, [pool.id])).model_dump(
                exclude={"id", "revision"}
            )
            pool.name, pool.description = wanted.name, wanted.description
            pool.share, pool.device_order = wanted.share, wanted.device_order
            pool.revision, pool.updated_at = pool.revision + 1, now
            await set_members(session, caller, pool.id, wanted.device_ids)
            _tell(
                transaction, caller, "pool.edited", pool.id, pool.name, now,
                {"before": before, "after": wanted.model_dump()}, kind="pool",
            )  # fmt: skip
            transaction.wake(_DISPATCH_TOPIC)
            return pool_out(pool, await members_of(session, [pool.id]))

    async def delete_pool(self, caller: Caller, pool_id: str) -> None:
        """Remove a pool; runs that wait for it wait on until they are cancelled."""
        async with self._database.write() as transaction:
            pool = await find_pool(transaction.session, caller, Permission.DEVICE_MANAGE, pool_id)
            caller.require_everywhere(Permission.DEVICE_MANAGE)
            await transaction.session.execute(delete(PoolMember).where(PoolMember.pool_id == pool.id))
            await transaction.session.delete(pool)
            _tell(transaction, caller, "pool.deleted", pool.id, pool.name, self._clock.now(), {}, kind="pool")


async def _device(
    session: AsyncSession, caller: Caller, permission: Permission, reference: str, *, lock: bool = False
) -> Device:
    """Return a device for which the caller has a right; one that they may not see is as good as none."""
    caller.require(permission)
    seen = devices_for(caller, Permission.DEVICE_READ, permission)
    query = select(Device).where((Device.id == reference) | (Device.name == reference), *seen)
    device = await session.scalar(query.with_for_update() if lock else query)
    if device is None:
        raise DeviceNotFound(f"There is no device '{reference}'.")
    if permission not in caller.everywhere:
        caller.require(permission, await place_of_device(session, device.id))
    return device


async def _check_name_is_free(
    session: AsyncSession, table: type[Device] | type[DevicePool], name: str, own_id: str
) -> None:
    if await session.scalar(select(table.id).where(table.name == name, table.id != own_id)) is not None:
        raise NameTaken(
            f"The name '{name}' is taken; choose another.", fields=(FieldError("/name", "is taken"),)
        )


def _tell(
    transaction: Transaction, caller: Caller, action: str, target_id: str, name: str, now: datetime, detail: dict[str, Any], *, kind: str = "device"
) -> None:  # fmt: skip
    audit.record(
        transaction,
        time=now,
        actor=caller.actor,
        action=action,
        target_kind=kind,
        target_id=target_id,
        target_name=name,
        detail=detail,
    )
    outbox.emit(transaction, time=now, kind=action, subject=target_id, data={"name": name})
