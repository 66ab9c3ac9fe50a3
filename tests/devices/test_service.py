"""Devices, pools, join tokens and presence on a database of each kind."""

import asyncio
from dataclasses import dataclass

import pytest
from sqlalchemy import func, select

from conftest import SteeredClock
from controlroom.audit.actor import SYSTEM
from controlroom.audit.models import AuditEntry
from controlroom.audit.service import verify
from controlroom.devices import presence
from controlroom.devices.bulk import DeviceAction, do_to_many, summarise
from controlroom.devices.errors import (
    DeviceKeyRefused,
    DeviceNotFound,
    JoinTokenNotFound,
    JoinTokenRefused,
    NameTaken,
    PoolNotFound,
)
from controlroom.devices.joining import JoinService
from controlroom.devices.models import Device, DeviceMode
from controlroom.devices.presence import Presence, forget_old_presence
from controlroom.devices.schemas import DeviceBulkIn, DeviceEditIn, JoinTokenIn, PoolIn
from controlroom.devices.service import DeviceService
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Conflict, Forbidden, Invalid, PreconditionFailed
from controlroom.foundation.ids import new_id
from controlroom.foundation.paging import PageRequest
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import SHIPPED_ROLES
from controlroom.identity.service import local_caller
from controlroom.protocol.join import JoinReply, JoinRequest
from controlroom.protocol.messages import DeviceFacts

CALLER = local_caller(SYSTEM)
FACTS = DeviceFacts("host", "linux", "6", "x86_64", "3.11", "0", 1, 1)


@dataclass
class Room:
    database: Database
    clock: SteeredClock
    joining: JoinService
    devices: DeviceService
    presence: Presence

    async def token(self, **wanted: object) -> tuple[str, str]:
        """Make a join token; return its id and text."""
        made, text = await self.joining.create_token(CALLER, JoinTokenIn.model_validate(wanted))
        return made.id, text

    async def join(self, name: str = "press", text: str = "", **wanted: object) -> JoinReply:
        """Let a runner join, with a token of its own where none is given."""
        text = text or (await self.token())[1]
        return await self.joining.join(JoinRequest(text, name, FACTS, **wanted), "192.0.2.1")  # type: ignore[arg-type]  # given by tests


@pytest.fixture
def room(database: Database, clock: SteeredClock) -> Room:
    return Room(
        database,
        clock,
        JoinService(database, clock),
        DeviceService(database, clock),
        Presence(database, clock, new_id("nod")),
    )


async def test_a_token_becomes_a_device_with_a_key_of_its_own(room: Room) -> None:
    token_id, text = await room.token(labels=["excel"], note="for the press")
    reply = await room.join("press", text, labels=("own", "excel"), slots=3)
    device = await room.devices.get(CALLER, reply.device_id)
    assert (device.name, device.labels, device.slots, device.mode) == (
        "press",
        ["excel", "own"],
        3,
        DeviceMode.ACTIVE,
    )
    assert (await room.presence.device_of_key(reply.key)).id == device.id
    (token,) = await room.joining.tokens(CALLER)
    assert (token.id, token.device_id, token.used_at) == (token_id, device.id, room.clock.now())
    async with room.database.read() as session:
        entries = (await session.scalars(select(AuditEntry).order_by(AuditEntry.number))).all()
        assert [entry.action for entry in entries] == ["join_token.created", "device.joined"]
        assert text not in str([entry.detail for entry in entries])
        assert not (await verify(session)).faults
        kept = await session.scalar(select(Device.key_hash))
        assert reply.key not in (kept or "")


async def test_a_token_counts_once_in_time_and_until_it_is_revoked(room: Room) -> None:
    _, used = await room.token()
    await room.join("one", used)
    revoked_id, revoked = await room.token()
    await room.joining.revoke_token(CALLER, revoked_id)
    _, expired = await room.token(valid_minutes=1)
    room.clock.advance(60)
    for text in (used, revoked, expired, "crj_unknown", "\ud7ff"):
        with pytest.raises(JoinTokenRefused):
            await room.join("two", text)
    with pytest.raises(JoinTokenNotFound):
        await room.joining.revoke_token(CALLER, "jtk_none")
    async with room.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(Device)) == 1


async def test_a_token_used_many_times_at_once_gives_one_device(room: Room) -> None:
    _, text = await room.token()
    found = await asyncio.gather(*(room.join("press", text) for _ in range(6)), return_exceptions=True)
    assert [type(each) for each in found].count(JoinReply) == 1
    assert [type(each) for each in found].count(JoinTokenRefused) == 5


async def test_names_that_meet_are_counted_up_and_odd_ones_made_sensible(room: Room) -> None:
    names = [
        (await room.join(name)).device_name for name in ("press", "press", "press", "a/b\\c<d>", "...", "")
    ]
    assert names == ["press", "press-2", "press-3", "a-b-c-d", "device", "device-2"]


async def test_machines_of_one_image_that_join_at_once_get_names_of_their_own(room: Room) -> None:
    texts = [(await room.token())[1] for _ in range(6)]
    replies = await asyncio.gather(*(room.join("image", text) for text in texts))
    names = sorted(reply.device_name for reply in replies)
    assert names == ["image", *(f"image-{number}" for number in range(2, 7))]


async def test_two_edits_of_one_version_do_not_both_stand(room: Room) -> None:
    device_id = (await room.join()).device_id
    edits = [DeviceEditIn(slots=number) for number in (2, 3, 4)]
    found = await asyncio.gather(
        *(room.devices.edit(CALLER, device_id, edit, 1) for edit in edits), return_exceptions=True
    )
    assert [type(each) for each in found].count(PreconditionFailed) == 2
    device = await room.devices.get(CALLER, device_id)
    (kept,) = [each for each in found if isinstance(each, Device)]
    assert (device.revision, device.slots) == (2, kept.slots)


async def test_a_name_is_not_taken_from_another(room: Room) -> None:
    first, _ = await room.join("one"), await room.join("two")
    with pytest.raises(NameTaken):
        await room.devices.edit(CALLER, first.device_id, DeviceEditIn(name="two"), 1)
    edited = await room.devices.edit(CALLER, "one", DeviceEditIn(name="one", labels=["a", "os=linux"]), 1)
    assert (edited.revision, edited.labels) == (2, ["a", "os=linux"])


async def test_a_revoked_device_stays_so_and_its_key_counts_no_more(room: Room) -> None:
    reply = await room.join()
    assert await room.presence.mode_of(reply.device_id) is DeviceMode.ACTIVE
    await room.devices.set_mode(CALLER, reply.device_id, DeviceMode.REVOKED, 1)
    assert await room.presence.mode_of(reply.device_id) is DeviceMode.REVOKED
    for key in (reply.key, "crr_unknown", ""):
        with pytest.raises(DeviceKeyRefused):
            await room.presence.device_of_key(key)
    with pytest.raises(Conflict, match="join anew"):
        await room.devices.set_mode(CALLER, reply.device_id, DeviceMode.ACTIVE, 2)


async def test_a_later_connection_is_not_ended_by_an_earlier_one(room: Room) -> None:
    device_id = (await room.join()).device_id
    await room.presence.connected(device_id, "con_1", FACTS)
    await room.presence.connected(device_id, "con_2", FACTS)
    await room.presence.disconnected(device_id, "con_1")
    assert (await room.devices.get(CALLER, device_id)).connected_at is not None
    assert await room.presence.seen(["con_1", "con_2"]) == {"con_2"}
    await room.presence.disconnected(device_id, "con_2")
    device = await room.devices.get(CALLER, device_id)
    assert (device.connected_at, device.connection_id, device.seen_at) == (None, None, room.clock.now())


async def test_the_silent_are_taken_for_gone(room: Room) -> None:
    silent, alive = (await room.join("silent")).device_id, (await room.join("alive")).device_id
    for number, device_id in enumerate((silent, alive)):
        await room.presence.connected(device_id, f"con_{number}", FACTS)
    room.clock.advance(31)
    assert await room.presence.seen(["con_1"]) == {"con_1"}
    await room.presence.forget_silent(10)
    page = await room.devices.list(CALLER, PageRequest(filter="connected:yes"))
    assert [device.id for device in page.items] == [alive]
    await room.presence.forget_all()
    assert (await room.devices.list(CALLER, PageRequest(filter="connected:yes"))).items == []


async def test_lists_filter_by_label_and_mode(room: Room) -> None:
    await room.join("one", labels=("excel",))
    other = await room.join("two", labels=("excel-64",))
    await room.devices.set_mode(CALLER, other.device_id, DeviceMode.DRAINING, 1)
    for text, names in (
        ("label:excel", ["one"]),
        ("mode:draining", ["two"]),
        ("tw", ["two"]),
        ("-connected:yes", ["one", "two"]),
    ):
        page = await room.devices.list(CALLER, PageRequest(filter=text))
        assert [device.name for device in page.items] == names, text
    with pytest.raises(Invalid, match="yes or no"):
        await room.devices.list(CALLER, PageRequest(filter="connected:maybe"))


async def test_pools_hold_devices_that_exist_and_keep_their_version(room: Room) -> None:
    ids = sorted([(await room.join("one")).device_id, (await room.join("two")).device_id])
    pool = await room.devices.create_pool(CALLER, PoolIn(name="night", device_ids=[*ids, ids[0]]))
    assert pool.device_ids == ids
    with pytest.raises(NameTaken):
        await room.devices.create_pool(CALLER, PoolIn(name="night"))
    with pytest.raises(Invalid) as raised:
        await room.devices.edit_pool(CALLER, pool.id, PoolIn(name="night", device_ids=["dev_none"]), 1)
    assert raised.value.fields[0].pointer == "/device_ids"
    assert (await room.devices.pool(CALLER, "night")).device_ids == ids
    edited = await room.devices.edit_pool(CALLER, "night", PoolIn(name="day", device_ids=ids[:1]), 1)
    assert (edited.name, edited.device_ids, edited.revision) == ("day", ids[:1], 2)
    with pytest.raises(PreconditionFailed):
        await room.devices.edit_pool(CALLER, pool.id, PoolIn(name="night"), 1)
    await room.devices.delete_pool(CALLER, "day")
    with pytest.raises(PoolNotFound):
        await room.devices.pool(CALLER, pool.id)
    assert await room.devices.pools(CALLER) == []


async def test_managing_needs_the_right(room: Room) -> None:
    viewer = Caller(CALLER.actor, "usr_1", "viewer", SHIPPED_ROLES["viewer"])
    device_id = (await room.join()).device_id
    assert (await room.devices.get(viewer, device_id)).id == device_id
    with pytest.raises(DeviceNotFound):
        await room.devices.get(viewer, "dev_none")
    for act in (
        room.devices.set_mode(viewer, device_id, DeviceMode.DISABLED, 1),
        room.devices.create_pool(viewer, PoolIn(name="x")),
        room.devices.delete_pool(viewer, "x"),
        room.joining.create_token(viewer, JoinTokenIn.model_validate({})),
        room.joining.tokens(viewer),
        room.joining.revoke_token(viewer, "x"),
    ):
        with pytest.raises(Forbidden, match=r"device\.manage"):
            await act


async def test_a_pool_keeps_the_order_of_its_devices_and_says_what_was_before(room: Room) -> None:
    ids = [(await room.join(name)).device_id for name in ("one", "two", "three")]
    made = await room.devices.create_pool(CALLER, PoolIn(name="night", device_ids=ids[::-1]))
    assert (made.device_ids, made.share, made.device_order) == (ids[::-1], "priority", "spread")
    wanted = PoolIn.model_validate(
        {"name": "night", "device_ids": ids, "share": "round_robin", "device_order": "listed"}
    )
    edited = await room.devices.edit_pool(CALLER, made.id, wanted, made.revision)
    assert (edited.device_ids, edited.share, edited.device_order) == (ids, "round_robin", "listed")
    assert await room.devices.pools(CALLER) == [edited]
    async with room.database.read() as session:
        query = select(AuditEntry.detail).where(AuditEntry.action == "pool.edited")
        detail = await session.scalar(query)
    assert detail is not None
    assert (detail["before"]["device_ids"], detail["after"]["device_ids"]) == (ids[::-1], ids)


async def test_a_device_remembers_when_it_came_and_went_for_ninety_days(room: Room) -> None:
    device_id = (await room.join("press")).device_id
    await room.presence.connected(device_id, "con_1", FACTS)
    await room.presence.disconnected(device_id, "con_1")
    await room.presence.connected(device_id, "con_2", FACTS)
    room.clock.advance(3_600)
    await room.presence.forget_silent(10)
    told = [(each.is_connected, each.reason) for each in await room.devices.presence(CALLER, device_id)]
    assert told == [(False, "It fell silent."), (True, ""), (False, "The connection ended."), (True, "")]
    room.clock.advance(91 * 86_400)
    await room.presence.connected(device_id, "con_3", FACTS)
    async with room.database.write() as transaction:
        await forget_old_presence(transaction, room.clock.now())
    assert [each.is_connected for each in await room.devices.presence(CALLER, device_id)] == [True]


async def test_old_comings_and_goings_go_a_part_at_a_time(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "_FORGOTTEN_AT_ONCE", 3)
    device_id = (await room.join("press")).device_id
    for number in range(2):
        await room.presence.connected(device_id, f"con_{number}", FACTS)
        await room.presence.disconnected(device_id, f"con_{number}")
    room.clock.advance(91 * 86_400)
    left = []
    for _ in range(2):
        async with room.database.write() as transaction:
            await forget_old_presence(transaction, room.clock.now())
        left.append(len(await room.devices.presence(CALLER, device_id)))
    assert left == [1, 0]


async def test_a_bulk_action_leaves_what_needs_no_change_and_says_so(room: Room) -> None:
    first, second, third = [(await room.join(f"press-{number}")).device_id for number in range(3)]
    await room.devices.set_mode(CALLER, second, DeviceMode.DRAINING, 1)
    await room.devices.set_mode(CALLER, third, DeviceMode.REVOKED, 1)
    wanted = DeviceBulkIn(ids=[first, second, third, "dev_none"])
    told = await summarise(room.devices, CALLER, DeviceAction.DRAIN, wanted)
    assert (told.changes, told.stays) == (1, 2)
    assert told.words == (
        "Drain 1 device; 1 is draining already and stays; 1 is revoked and stays. They take nothing new; "
        "nothing runs on them now. 1 is not there any more."
    )
    results = await do_to_many(room.devices, CALLER, DeviceAction.DRAIN, wanted)
    assert [(each.id, each.done) for each in results] == [(first, True)]
    enabled = await do_to_many(room.devices, CALLER, DeviceAction.ENABLE, DeviceBulkIn(filter=""))
    assert {each.id for each in enabled} == {first, second}
    viewer = Caller(CALLER.actor, "usr_1", "viewer", SHIPPED_ROLES["viewer"])
    with pytest.raises(Forbidden):
        await do_to_many(room.devices, viewer, DeviceAction.DISABLE, DeviceBulkIn(filter=""))
