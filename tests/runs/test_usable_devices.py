"""Whoever asks for a run lends it their reach over devices: a pool's consumers use it, nobody else's runs go there."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.audit.actor import Actor, ActorKind
from controlroom.devices.schemas import PoolIn
from controlroom.foundation.errors import Forbidden
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import SHIPPED_ROLES, Permission
from controlroom.identity.places import ROOT, Place, Placed, PlaceKind, Rights, counting_at
from controlroom.runs.matching import Board, OpenDevice, WaitingRun, explain_wait, match
from controlroom.runs.models import Run
from controlroom.runs.schemas import RepeatIn, RunIn
from controlroom.runs.states import State
from runs.conftest import CALLER, Room

USE = frozenset({Permission.DEVICE_USE})
RUN = frozenset({Permission.RUN_REQUEST, Permission.RUN_READ, Permission.BOT_READ})


def someone(name: str, at: dict[Place, Rights]) -> Caller:
    """Return a person who may have every bot run, and has rights to pools as given."""
    placed = Placed({Place(PlaceKind.FOLDER, "/"): RUN, **at})
    actor = Actor(ActorKind.USER, f"usr_{name}", name)
    return Caller(actor, f"usr_{name}", name, placed.anywhere, session_id="ses", placed=placed)


def consumer(name: str, *pools: str) -> Caller:
    """Return a person who may use the devices of some pools."""
    return someone(name, {Place(PlaceKind.POOL, pool): USE for pool in pools})


async def pool(room: Room, name: str, *devices: str) -> str:
    return (await room.devices.create_pool(CALLER, PoolIn(name=name, device_ids=list(devices)))).id


async def ask(room: Room, caller: Caller, **wanted: object) -> Run:
    return (await room.runs.request(caller, RunIn(bot="orders", **wanted)))[0]


async def test_a_run_that_names_no_target_goes_only_to_devices_of_the_askers_pools(room: Room) -> None:
    await room.device("free", slots=9)
    night_device, day_device = await room.device("n", slots=9), await room.device("d", slots=9)
    night, day = await pool(room, "night", night_device), await pool(room, "day", day_device)
    runs = {
        name: await ask(room, consumer(name, *pools))
        for name, pools in (("nina", (night,)), ("dora", (day,)), ("both", (night, day)))
    }
    await room.dispatcher.assign_all()
    placed = {name: (await room.run(run.id)).device_name for name, run in runs.items()}
    assert (placed["nina"], placed["dora"]) == ("n", "d")
    assert placed["both"] in ("n", "d")
    assert (await ask(room, CALLER)).usable_pool_ids is None


async def test_the_waiting_reason_says_whose_right_is_missing_and_names_only_pools_that_the_reader_sees(
    room: Room,
) -> None:
    device = await room.device("n")
    night, day = await pool(room, "night", device), await pool(room, "day")
    alice = consumer("alice", day)
    run = await ask(room, alice)
    assert await room.dispatcher.assign_all() == 0
    hers = (await room.runs.detail(alice, run.id)).waiting_because
    assert hers.startswith("You may not use any of the devices that would fit")
    assert "night" not in hers
    seeing = someone(
        "alice", {Place(PlaceKind.POOL, day): USE, Place(PlaceKind.POOL, night): frozenset({Permission.DEVICE_READ})}
    )  # fmt: skip
    assert (await room.runs.detail(seeing, run.id)).waiting_because.startswith(
        "You may not use pool 'night', where devices would fit"
    )
    assert (await room.runs.detail(CALLER, run.id)).waiting_because.startswith(
        "alice may not use pool 'night'"
    )


async def test_a_device_that_left_the_pool_after_the_request_gets_none_of_its_runs(room: Room) -> None:
    device = await room.device("n")
    night = await pool(room, "night", device)
    run = await ask(room, consumer("nina", night), device="n")
    seen = await room.devices.pool(CALLER, night)
    await room.devices.edit_pool(CALLER, night, PoolIn(name="night"), seen.revision)
    assert await room.dispatcher.assign_all() == 0
    seen = await room.devices.pool(CALLER, night)
    await room.devices.edit_pool(CALLER, night, PoolIn(name="night", device_ids=[device]), seen.revision)
    assert await room.dispatcher.assign_all() == 1
    assert (await room.run(run.id)).device_name == "n"


async def test_a_run_again_goes_by_the_reach_of_who_asks_again(room: Room) -> None:
    night_device, day_device = await room.device("n"), await room.device("d")
    night, day = await pool(room, "night", night_device), await pool(room, "day", day_device)
    first = await ask(room, consumer("nina", night))
    again = await room.runs.repeat(consumer("dora", day), first.id, RepeatIn())
    assert (first.usable_pool_ids, again.usable_pool_ids) == ([night], [day])


async def test_who_may_use_no_device_at_all_is_told_at_once(room: Room) -> None:
    with pytest.raises(Forbidden, match=r"device\.use"):
        await ask(room, consumer("nobody"))
    limited = replace(CALLER, permissions=RUN)  # a key that may have bots run, and use nothing
    with pytest.raises(Forbidden, match=r"device\.use"):
        await ask(room, limited)


@pytest.mark.parametrize("role", sorted(SHIPPED_ROLES))
async def test_owners_and_consumers_of_a_pool_have_what_their_role_gives_there(room: Room, role: str) -> None:
    device = await room.device("n")
    night = await pool(room, "night", device)
    held = counting_at(PlaceKind.POOL, SHIPPED_ROLES[role])
    caller = someone(role, {Place(PlaceKind.POOL, night): held})
    if Permission.DEVICE_USE in held:
        run = await ask(room, caller, pool="night")
        await room.dispatcher.assign_all()
        assert (await room.run(run.id)).state is State.ASSIGNED
    else:
        with pytest.raises(Forbidden, match=r"device\.use"):
            await ask(room, caller)
    if Permission.DEVICE_MANAGE in held:
        seen = await room.devices.pool(caller, night)
        await room.devices.edit_pool(
            caller, night, PoolIn(name="night", device_ids=[device], description="ours"), seen.revision
        )
    elif Permission.DEVICE_READ in held:
        with pytest.raises(Forbidden, match=r"device\.manage"):
            await room.devices.edit_pool(caller, night, PoolIn(name="night"), 1)
    assert (await room.devices.pool(CALLER, night)).description == (
        "ours" if Permission.DEVICE_MANAGE in held else ""
    )


pools = st.frozensets(st.sampled_from(["p", "q", "r"]))
devices = st.builds(
    lambda number, names, free: OpenDevice(f"d{number}", f"d{number}", frozenset(), names, 9, free),
    st.integers(0, 50), pools, st.integers(0, 2),
)  # fmt: skip
waiting = st.builds(
    lambda number, usable, target: WaitingRun(
        f"r{number}", "b", None, frozenset(), None, target, usable, "eve"
    ),
    st.integers(0, 50), st.none() | pools, st.none() | st.sampled_from(["p", "q"]),
)  # fmt: skip


@given(
    st.lists(waiting, max_size=8, unique_by=lambda run: run.id),
    st.lists(devices, max_size=6, unique_by=lambda one: one.id),
)
def test_no_run_is_ever_placed_where_its_asker_may_not_use_devices(
    runs: list[WaitingRun], free: list[OpenDevice]
) -> None:
    board, asked = Board(free), {run.id: run for run in runs}
    placed = {
        pair.run_id: next(one for one in free if one.id == pair.device_id) for pair in match(runs, board)
    }
    for run_id, device in placed.items():
        usable = asked[run_id].usable_pools
        assert usable is None or usable & device.pools
    for run in runs:
        suiting = [one for one in free if run.pool_id is None or run.pool_id in one.pools]
        barred = bool(suiting) and not any(
            run.usable_pools is None or run.usable_pools & one.pools for one in suiting
        )
        assert ("may not use" in explain_wait(run, board, {})) is barred


def test_the_root_is_every_pool_and_none() -> None:
    from controlroom.runs.request import usable_pools

    assert usable_pools(someone("root", {ROOT: USE})) is None
    assert usable_pools(consumer("one", "pol_a", "pol_b")) == {"pol_a", "pol_b"}
