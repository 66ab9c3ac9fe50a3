"""How full devices and pools are, counted by the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.devices.models import Device, DeviceMode, PoolMember
from controlroom.identity.filters import Conditions

_ACTIVE = ("assigned", "running", "paused")
"""States of attempts, in the words of the index of those that hold slots: SQLite uses it for no others."""


@dataclass(frozen=True, slots=True)
class PoolLoad:
    """How many devices a pool has, how many of them take work now, and how many of their slots are taken."""

    devices: int = 0
    online: int = 0
    slots: int = 0
    taken: int = 0


async def read_taken(session: AsyncSession, seen: Conditions) -> dict[str, int]:
    """Return how many attempts each device has that ``seen`` lets through; a device without any is not in it."""
    rows = await session.execute(_taken(seen))
    return {device_id: count for device_id, count in rows}  # noqa: C416  # rows are not pairs to the type checker


async def read_pool_loads(
    session: AsyncSession, pool_ids: Sequence[str], seen: Conditions
) -> dict[str, PoolLoad]:
    """Return how full pools are, of the devices that ``seen`` lets through; ``devices`` counts all. Empty ones are not in it."""
    sizes = select(PoolMember.pool_id, func.count()).where(PoolMember.pool_id.in_(pool_ids))
    devices = {pool_id: count for pool_id, count in await session.execute(sizes.group_by(PoolMember.pool_id))}  # noqa: C416  # rows are not pairs to the type checker
    taken = _taken(()).subquery()
    counted = (func.count(), func.sum(Device.slots), func.sum(func.coalesce(taken.c.taken, 0)))
    is_online = (Device.connected_at.is_not(None), Device.mode == DeviceMode.ACTIVE)
    query: Select[Any] = (
        select(PoolMember.pool_id, *counted)
        .join(Device, Device.id == PoolMember.device_id)
        .outerjoin(taken, taken.c.device_id == Device.id)
        .where(PoolMember.pool_id.in_(pool_ids), *is_online, *seen)
        .group_by(PoolMember.pool_id)
    )
    loads = {pool_id: PoolLoad(count) for pool_id, count in devices.items()}
    for pool_id, online, slots, busy in await session.execute(query):
        loads[pool_id] = PoolLoad(devices[pool_id], online, int(slots), int(busy))
    return loads


def _taken(seen: Conditions) -> Select[Any]:
    attempts = Device.metadata.tables["attempts"]
    active = attempts.c.state.in_([literal_column(f"'{state}'") for state in _ACTIVE])
    among = (attempts.c.device_id.in_(select(Device.id).where(*seen)),) if seen else ()
    counted = select(attempts.c.device_id, func.count().label("taken")).where(active, *among)
    return counted.group_by(attempts.c.device_id)
