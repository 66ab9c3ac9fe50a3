"""Devices that are alike, counted together by the database: all it takes to say why a run waits, however many there are."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, Subquery, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.devices.models import Device, DeviceMode, PoolMember
from controlroom.foundation.settings import Settings
from controlroom.protocol import FILES_PROTOCOL_VERSION
from controlroom.runs.away import AwayDevice
from controlroom.runs.dispatch import PRESENCE_HEARTBEATS
from controlroom.runs.matching import Board, OpenDevice
from controlroom.runs.models import Attempt, attempt_is_active

_BETWEEN = ","


async def read_kinds(
    session: AsyncSession, now: datetime, settings: Settings, named: Collection[str]
) -> tuple[Board, list[AwayDevice]]:
    """Return the devices that take work now and those that do not, revoked ones left out.

    Devices of the same labels and pools whose runners take files alike are one, with their number and their slots added
    up; ``named`` keeps those with these ids apart. The board is to explain by, not to match by: it has no pool's order and
    no bot's turns.
    """
    taken = _taken()
    pools = _pools()
    present_since = now - timedelta(seconds=settings.heartbeat_seconds * PRESENCE_HEARTBEATS)
    is_open = and_(
        Device.mode == DeviceMode.ACTIVE, Device.connected_at.is_not(None), Device.seen_at >= present_since
    )
    is_offline = or_(Device.mode == DeviceMode.ACTIVE, Device.connected_at.is_(None))
    left = Device.slots - func.coalesce(taken.c.taken, 0)
    alike = (
        case((Device.id.in_(named), Device.id), else_="").label("named"),
        Device.labels,
        func.coalesce(pools.c.pools, "").label("pools"),
        case((is_open, 1), else_=0).label("is_open"),
        case((is_offline, 1), else_=0).label("is_offline"),
        case((Device.protocol_version >= FILES_PROTOCOL_VERSION, 1), else_=0).label("takes_files"),
    )
    each = (
        select(*alike, Device.slots, case((left > 0, left), else_=0).label("free"))
        .outerjoin(taken, taken.c.device_id == Device.id)
        .outerjoin(pools, pools.c.device_id == Device.id)
        .where(Device.mode != DeviceMode.REVOKED)
        .subquery()
    )
    kinds = [each.c[column.name] for column in alike]
    query: Select[Any] = select(*kinds, func.count(), func.sum(each.c.slots), func.sum(each.c.free)).group_by(
        *kinds
    )
    board: list[OpenDevice] = []
    away: list[AwayDevice] = []
    for device_id, labels, pool_ids, takes_work, offline, files, count, slots, free in await session.execute(
        query
    ):
        of_labels = frozenset(labels)
        of_pools = frozenset(pool_ids.split(_BETWEEN)) if pool_ids else frozenset()
        if takes_work:
            board.append(
                OpenDevice(device_id, "", of_labels, of_pools, int(slots), int(free), count, bool(files))
            )
        else:
            away.append(AwayDevice(device_id, of_labels, of_pools, bool(offline), count, bool(files)))
    return Board(board, await _active_by_bot(session)), away


def _taken() -> Subquery:
    return (
        select(Attempt.device_id, func.count().label("taken"))
        .where(attempt_is_active())
        .group_by(Attempt.device_id)
        .subquery()
    )


def _pools() -> Subquery:
    ids = func.aggregate_strings(PoolMember.pool_id, _BETWEEN)
    return select(PoolMember.device_id, ids.label("pools")).group_by(PoolMember.device_id).subquery()


async def _active_by_bot(session: AsyncSession) -> Counter[str]:
    query = select(Attempt.bot_id, func.count()).where(attempt_is_active()).group_by(Attempt.bot_id)
    return Counter({bot_id: count for bot_id, count in await session.execute(query)})  # noqa: C416  # rows are not pairs to the type checker
