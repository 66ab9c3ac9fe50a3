"""Which devices would fit a waiting run but take no work at the moment, in words."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.devices.models import Device, DeviceMode, PoolMember
from controlroom.runs.matching import Board, WaitingRun, may_use

_MOST_DEVICES = 10_000


@dataclass(frozen=True, slots=True)
class AwayDevice:
    """A device that takes no work now: it is offline, or connected and told to take none."""

    id: str
    labels: frozenset[str]
    pools: frozenset[str]
    is_offline: bool


async def read_away(session: AsyncSession, board: Board) -> list[AwayDevice]:
    """Return the devices, revoked ones left out, that are not among those that take work."""
    open_ids = {device.id for device in board.devices}
    columns = select(Device.id, Device.labels, Device.mode, Device.connected_at)
    rows = await session.execute(columns.where(Device.mode != DeviceMode.REVOKED).limit(_MOST_DEVICES))
    pools: dict[str, set[str]] = {}
    for device_id, pool_id in await session.execute(select(PoolMember.device_id, PoolMember.pool_id)):
        pools.setdefault(device_id, set()).add(pool_id)
    return [
        AwayDevice(
            id_,
            frozenset(labels),
            frozenset(pools.get(id_, ())),
            is_offline=mode is DeviceMode.ACTIVE or connected_at is None,
        )
        for id_, labels, mode, connected_at in rows
        if id_ not in open_ids
    ]


def away_words(run: WaitingRun, board: Board, away: Iterable[AwayDevice]) -> str:
    """Say how many devices would fit if they took work; empty where one that takes work fits, or none would."""
    if any(_fits(run, device.id, device.labels, device.pools) for device in board.devices):
        return ""
    fitting = [device for device in away if _fits(run, device.id, device.labels, device.pools)]
    offline = sum(1 for device in fitting if device.is_offline)
    parts = []
    if offline:
        parts.append(f"{_devices(offline)} would fit but {'is' if offline == 1 else 'are'} offline")
    if len(fitting) > offline:
        closed = len(fitting) - offline
        parts.append(f"{_devices(closed)} would fit but {'takes' if closed == 1 else 'take'} no new work")
    return "; ".join(parts)


def _devices(count: int) -> str:
    return f"{count:,} device{'' if count == 1 else 's'}"


def _fits(run: WaitingRun, device_id: str, labels: frozenset[str], pools: frozenset[str]) -> bool:
    return (
        (run.device_id is None or run.device_id == device_id)
        and (run.pool_id is None or run.pool_id in pools)
        and run.labels <= labels
        and may_use(run, pools)
    )
