"""Which devices and pools a caller may see and do something with: the one way from their rights to a device or a query."""

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.devices.models import Device, DevicePool, PoolMember
from controlroom.identity.caller import Caller
from controlroom.identity.filters import Conditions, devices_with, pools_with
from controlroom.identity.permissions import Permission
from controlroom.identity.places import At, PoolsAt


def devices_for(caller: Caller, *permissions: Permission) -> Conditions:
    """Return what a query over devices needs to give only those for which the caller has one of these rights."""
    parts = [
        devices_with(
            caller,
            permission,
            device_id=Device.id.expression,
            members=select(PoolMember.device_id),
            pool_id=PoolMember.pool_id.expression,
        )
        for permission in permissions
    ]
    if not all(parts):
        return ()
    return (or_(*(condition for part in parts for condition in part)),)


def pools_for(caller: Caller, *permissions: Permission) -> Conditions:
    """Return what a query over pools needs to give only those for which the caller has one of these rights."""
    parts = [pools_with(caller, permission, pool_id=DevicePool.id.expression) for permission in permissions]
    if not all(parts):
        return ()
    return (or_(*(condition for part in parts for condition in part)),)


async def place_of_device(session: AsyncSession, device_id: str) -> PoolsAt:
    """Return where a device is, as rights are asked for it: in all its pools."""
    pools = await session.scalars(select(PoolMember.pool_id).where(PoolMember.device_id == device_id))
    return PoolsAt(frozenset(pools))


def is_seen(caller: Caller, permission: Permission, at: At | None) -> bool:
    """Say whether a caller may know of a device or pool, because they may read it or have another right to it."""
    return caller.may(Permission.DEVICE_READ, at) or caller.may(permission, at)
