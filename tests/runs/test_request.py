"""Asking for runs: what is checked, what is taken from the bot, and what the same key gives."""

import asyncio
import threading
from typing import Any

import pytest
from sqlalchemy import func, select

from controlroom.audit.models import AuditEntry
from controlroom.audit.service import verify
from controlroom.bots.errors import NoSuchBot, NoSuchTask, NoSuchVersion
from controlroom.bots.inputs import InputsInvalid, check_inputs
from controlroom.bots.manifest import JsonSchema
from controlroom.devices.models import DeviceMode
from controlroom.foundation.errors import ControlRoomError, Forbidden, Invalid
from controlroom.foundation.outbox import read_events
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import SHIPPED_ROLES
from controlroom.runs import request
from controlroom.runs.errors import IdempotencyKeyReused, UnknownTarget
from controlroom.runs.models import Run
from controlroom.runs.schemas import RepeatIn, RetryIn, RunIn
from controlroom.runs.states import State
from runs.conftest import CALLER, Room


async def test_a_run_takes_what_the_bot_declares(room: Room) -> None:
    run = await room.ask()
    assert run.inputs == {"amount": 7, "note": ""}
    assert (run.labels, run.timeout_seconds, run.version_number) == (["os=linux"], 30, 1)
    assert (run.retry["on"], run.retry["count"], run.retry["backoff_seconds"]) == ("loss", 1, 4)
    assert (run.state, run.not_before) == (State.QUEUED, room.clock.now())


async def test_what_is_asked_for_goes_before_what_the_bot_declares(room: Room) -> None:
    run = await room.ask(
        inputs={"amount": 3},
        labels=["excel"],
        timeout_seconds=5,
        retry=RetryIn(on="failure", count=9),
        priority=99,
    )
    assert (run.inputs["amount"], run.timeout_seconds, run.priority) == (3, 5, 99)
    assert run.labels == ["excel", "os=linux"]
    assert (run.retry["on"], run.retry["count"]) == ("failure", 9)


async def test_a_request_is_told_in_history_audit_and_events(room: Room) -> None:
    run = await room.ask(reason="month end")
    assert await room.history(run.id) == ["queued"]
    async with room.database.read() as session:
        entry = await session.scalar(select(AuditEntry).where(AuditEntry.target_id == run.id))
        assert entry is not None
        assert (entry.action, entry.detail["message"]) == ("run.queued", "month end")
        events = [event for event in await read_events(session, after=0) if event.subject == run.id]
        assert [event.kind for event in events] == ["run.queued"]
        assert not (await verify(session)).faults


CANNOT_STAND: list[tuple[dict[str, Any], type[ControlRoomError], str | None]] = [
    ({"inputs": {"amount": 0}}, InputsInvalid, "/inputs/amount"),
    ({"inputs": {"amount": "many"}}, InputsInvalid, "/inputs/amount"),
    ({"device": "nowhere"}, UnknownTarget, "/device"),
    ({"pool": "nothing"}, UnknownTarget, "/pool"),
    ({"task": "other"}, NoSuchTask, "/task"),
    ({"bot": "unknown"}, NoSuchBot, None),
    ({"version": 2}, NoSuchVersion, None),
]


async def test_what_cannot_stand_is_named_and_leaves_nothing(room: Room) -> None:
    for wanted, error, pointer in CANNOT_STAND:
        with pytest.raises(error) as raised:
            await room.runs.request(CALLER, RunIn(**{"bot": "orders", **wanted}))
        assert [field.pointer for field in raised.value.fields] == ([pointer] if pointer else [])
    async with room.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(Run)) == 0


async def test_others_write_while_inputs_are_checked(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    checking, may_end = threading.Event(), threading.Event()

    def slow_check(schema: JsonSchema, inputs: object) -> dict[str, Any]:
        checking.set()
        assert may_end.wait(30)
        return check_inputs(schema, inputs)

    with monkeypatch.context() as patched:
        patched.setattr(request, "check_inputs", slow_check)
        slow = asyncio.create_task(room.ask(reason="slow"))
        await asyncio.to_thread(checking.wait, 30)
    quick = await room.ask(reason="quick")
    may_end.set()

    assert (await slow).id != quick.id


async def test_a_text_that_postgresql_cannot_keep_is_refused_in_words(room: Room) -> None:
    if room.database.is_sqlite:
        pytest.skip("SQLite keeps such texts")
    for name in ("reason", "device", "idempotency_key"):
        with pytest.raises(Invalid, match="NUL character"):
            await room.ask(**{name: "a\0b"})


async def test_a_revoked_device_is_no_target(room: Room) -> None:
    device_id = await room.device()
    await room.devices.set_mode(CALLER, device_id, DeviceMode.REVOKED, 1)
    with pytest.raises(UnknownTarget):
        await room.ask(device=device_id)


async def test_asking_needs_the_right(room: Room) -> None:
    viewer = Caller(CALLER.actor, "usr_1", "viewer", SHIPPED_ROLES["viewer"])
    with pytest.raises(Forbidden, match=r"run\.request"):
        await room.runs.request(viewer, RunIn(bot="orders"))
    run = await room.ask()
    for act in (room.runs.cancel, room.runs.pause, room.runs.resume):
        with pytest.raises(Forbidden, match=r"run\.control"):
            await act(viewer, run.id)


async def test_the_same_key_gives_the_same_run(room: Room) -> None:
    wanted = RunIn(bot="orders", inputs={"amount": 2}, idempotency_key="k")
    first, is_new = await room.runs.request(CALLER, wanted)
    again, is_new_again = await room.runs.request(CALLER, wanted)
    assert (is_new, is_new_again, again.id) == (True, False, first.id)
    by_id = wanted.model_copy(update={"bot": first.bot_id, "inputs": {"amount": 2, "note": ""}})
    assert (await room.runs.request(CALLER, by_id))[0].id == first.id


@pytest.mark.parametrize(
    "other", [{"inputs": {"amount": 3}}, {"inputs": {}}, {"version": 9}, {"bot": "else"}, {"task": "else"}], ids=str
)  # fmt: skip
async def test_the_same_key_with_another_request_is_refused(room: Room, other: dict[str, Any]) -> None:
    wanted = RunIn(bot="orders", inputs={"amount": 2}, idempotency_key="k")
    await room.runs.request(CALLER, wanted)
    with pytest.raises(IdempotencyKeyReused):
        await room.runs.request(CALLER, wanted.model_copy(update=other))


async def test_keys_of_two_users_do_not_meet(room: Room) -> None:
    wanted = RunIn(bot="orders", idempotency_key="k")
    other = Caller(CALLER.actor, "usr_2", "other", CALLER.permissions)
    first, _ = await room.runs.request(CALLER, wanted)
    second, is_new = await room.runs.request(other, wanted)
    assert is_new
    assert second.id != first.id


async def test_the_same_key_many_times_at_once_makes_one_run(room: Room) -> None:
    wanted = RunIn(bot="orders", idempotency_key="k")
    found = await asyncio.gather(*(room.runs.request(CALLER, wanted) for _ in range(8)))
    assert len({run.id for run, _ in found}) == 1
    assert [is_new for _, is_new in found].count(True) == 1


async def test_a_repeat_takes_the_request_over(room: Room) -> None:
    device_id = await room.device()
    labels = [f"label-{number}" for number in range(20)]
    before = await room.ask(
        device=device_id, inputs={"amount": 9}, labels=labels, priority=3, timeout_seconds=4
    )
    again = await room.runs.repeat(CALLER, before.id, RepeatIn())
    for name in (
        "inputs",
        "target_device_id",
        "labels",
        "priority",
        "timeout_seconds",
        "retry",
        "version_id",
    ):
        assert getattr(again, name) == getattr(before, name)
    assert (again.repeats_run_id, again.state) == (before.id, State.QUEUED)
    changed = await room.runs.repeat(CALLER, before.id, RepeatIn(inputs={"amount": 1}))
    assert changed.inputs == {"amount": 1, "note": ""}
