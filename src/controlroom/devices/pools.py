"""Device pools and who is in them: found, read and changed within a transaction of `devices.service`."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.devices.errors import PoolNotFound
from controlroom.devices.models import Device, DevicePool, PoolMember, PoolOrder, PoolShare
from controlroom.devices.rights import devices_for, pools_for
from controlroom.devices.schemas import PoolOut
from controlroom.foundation.errors import FieldError, Invalid
from controlroom.foundation.paging import Field, Grammar, Kind
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import PoolsAt

POOL_GRAMMAR = Grammar(
    fields={
        "name": Field(DevicePool.name, sortable=True),
        "share": Field(DevicePool.share, Kind.CHOICE, tuple(PoolShare)),
        "order": Field(DevicePool.device_order, Kind.CHOICE, tuple(PoolOrder)),
        "created": Field(DevicePool.created_at, Kind.MOMENT, sortable=True),
    },
    key=DevicePool.id,
    text=(DevicePool.name, DevicePool.description),
    default_sort="name",
)


async def find_pool(
    session: AsyncSession, caller: Caller, permission: Permission, reference: str, *, lock: bool = False
) -> DevicePool:
    """Return a pool, by id or name, for which the caller has a right.

    Raises `PoolNotFound`, for one that they may not see too, and `Forbidden`.
    """
    caller.require(permission)
    seen = pools_for(caller, Permission.DEVICE_READ, permission)
    query = select(DevicePool).where((DevicePool.id == reference) | (DevicePool.name == reference), *seen)
    pool = await session.scalar(query.with_for_update() if lock else query)
    if pool is None:
        raise PoolNotFound(f"There is no device pool '{reference}'.")
    caller.require(permission, PoolsAt(frozenset({pool.id})))
    return pool


async def members_of(session: AsyncSession, pool_ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the devices of pools, in their order."""
    query = select(PoolMember.pool_id, PoolMember.device_id).where(PoolMember.pool_id.in_(pool_ids))
    found: dict[str, list[str]] = {pool_id: [] for pool_id in pool_ids}
    for pool_id, device_id in await session.execute(
        query.order_by(PoolMember.position, PoolMember.device_id)
    ):
        found[pool_id].append(device_id)
    return found


def pool_out(pool: DevicePool, members: Mapping[str, Sequence[str]]) -> PoolOut:
    """Return what is shown of a pool; ``members`` are from `members_of`."""
    return PoolOut(
        id=pool.id,
        name=pool.name,
        description=pool.description,
        device_ids=list(members[pool.id]),
        share=pool.share,
        device_order=pool.device_order,
        revision=pool.revision,
    )


async def set_members(session: AsyncSession, caller: Caller, pool_id: str, device_ids: Sequence[str]) -> None:
    """Replace a pool's devices; who puts one in gives rights to it, and so must be able to manage it.

    Raises `Invalid` for a device that is not there or that they may not manage.
    """
    managed = select(Device.id).where(
        Device.id.in_(device_ids), *devices_for(caller, Permission.DEVICE_MANAGE)
    )
    known = set(await session.scalars(managed))
    unknown = [device_id for device_id in device_ids if device_id not in known]
    if unknown:
        raise Invalid(
            f"There is no device '{unknown[0]}'.",
            fields=(FieldError("/device_ids", f"unknown: {unknown[0]}"),),
        )
    await session.execute(delete(PoolMember).where(PoolMember.pool_id == pool_id))
    session.add_all(
        PoolMember(pool_id=pool_id, device_id=device_id, position=position)
        for position, device_id in enumerate(dict.fromkeys(device_ids))
    )
    await session.flush()
