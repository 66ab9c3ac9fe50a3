"""Devices counted together explain a wait in the same words as one by one."""

import pytest

from controlroom.devices.models import Device, DeviceMode, DevicePool, PoolMember
from controlroom.foundation.ids import new_id
from controlroom.runs.dispatch import read_board
from controlroom.runs.kinds import read_kinds
from controlroom.runs.matching import WaitingRun, explain_wait
from runs.conftest import Room

_LABELS = (["linux"], ["linux", "browser"], ["windows"], ["linux"], [], ["windows"])


async def store(room: Room) -> tuple[list[str], list[str]]:
    """Put twenty-four devices into two pools and none, some away; return the ids of devices and pools."""
    now = room.clock.now()
    devices = [
        Device(
            id=new_id("dev"), name=f"d{number}", key_hash=f"{number:064}", slots=number % 3 + 1, labels=_LABELS[number % 6],
            mode=(DeviceMode.ACTIVE, DeviceMode.DRAINING, DeviceMode.ACTIVE, DeviceMode.REVOKED)[number % 4], facts={},
            connected_at=None if number % 5 == 0 else now, seen_at=now, joined_at=now, updated_at=now, revision=1,
            protocol_version=2 + number % 7 % 2,
        )
        for number in range(24)
    ]  # fmt: skip
    pools = [
        DevicePool(id=new_id("pol"), name=f"p{number}", created_at=now, updated_at=now, revision=1)
        for number in range(2)
    ]
    async with room.database.write() as transaction:
        transaction.session.add_all([*devices, *pools])
        await transaction.session.flush()
        for number, device in enumerate(devices):
            for place, pool in enumerate(pools):
                if number % (place + 2) == 0:
                    transaction.session.add(PoolMember(pool_id=pool.id, device_id=device.id))
    return [device.id for device in devices], [pool.id for pool in pools]


@pytest.mark.parametrize("labels", [(), ("linux",), ("linux", "browser"), ("windows", "linux"), ("excel",)])
async def test_they_explain_as_one_by_one(room: Room, labels: tuple[str, ...]) -> None:
    devices, pools = await store(room)
    runs = [
        WaitingRun("run", "bot", None, frozenset(labels), device, pool, usable, has_files=has_files)
        for device in (None, devices[0], devices[1], devices[2])
        for pool in (None, *pools)
        for usable in (None, frozenset(pools[:1]), frozenset[str]())
        for has_files in (False, True)
    ]
    async with room.database.read() as session:
        board = await read_board(session, room.clock.now(), room.settings)
        kinds, away = await read_kinds(session, room.clock.now(), room.settings, devices[:3])
    assert len(kinds.devices) < len(board.devices)
    assert sum(each.count for each in kinds.devices) == len(board.devices)
    assert sum(each.slots for each in kinds.devices) == sum(each.slots for each in board.devices)
    assert sum(each.count for each in away) == 18 - len(board.devices)
    for run in runs:
        assert explain_wait(run, kinds, {}) == explain_wait(run, board, {})
