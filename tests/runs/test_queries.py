"""The list of runs: filters, sorts, and pages that neither repeat nor hide a run."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from controlroom.foundation.errors import Invalid
from controlroom.foundation.paging import PageRequest
from controlroom.runs.models import Run, RunHistory
from controlroom.runs.states import State
from runs.conftest import CALLER, Room

STATES = [State.QUEUED, State.FAILED, State.SUCCEEDED]


@pytest.fixture
async def runs(room: Room) -> list[str]:
    """Thirty runs, several of a moment, newest first."""
    model = await room.ask(reason="the model")
    columns = {name: getattr(model, name) for name in Run.__mapper__.columns.keys()}  # noqa: SIM118  # not a dict
    rows = [
        {
            **columns,
            "id": f"run_{number:02}",
            "state": STATES[number % 3],
            "created_at": room.clock.now() + timedelta(seconds=number // 4),
            "priority": number,
            "reason": f"Order {number}",
            "labels": ["os=linux", f"l{number % 2}"],
            "device_name": "press" if number % 5 == 0 else None,
            "idempotency_key": None,
        }
        for number in range(30)
    ]
    async with room.database.write() as transaction:
        await transaction.session.execute(delete(RunHistory))
        await transaction.session.execute(delete(Run))
        await transaction.session.execute(insert(Run), rows)
    return [f"run_{number:02}" for number in reversed(range(30))]


async def found(room: Room, **request: object) -> list[str]:
    page = await room.runs.list(CALLER, PageRequest(limit=500, **request))  # type: ignore[arg-type]  # given by tests
    return [run.id for run in page.items]


async def test_newest_come_first_and_the_sort_turns(room: Room, runs: list[str]) -> None:
    assert await found(room) == runs
    assert await found(room, sort="created") == runs[::-1]
    with pytest.raises(Invalid, match="cannot be sorted by 'priority'"):
        await found(room, sort="priority")


FILTERS: dict[str, Callable[[int], bool]] = {
    "state:failed": lambda n: n % 3 == 1,
    "state:failed,queued": lambda n: n % 3 != 2,
    "-state:failed": lambda n: n % 3 != 1,
    "label:l1 device:press": lambda n: n % 2 == 1 and n % 5 == 0,
    "priority>=10 priority<12": lambda n: 10 <= n < 12,
    "'order 7'": lambda n: n == 7,
    "bot:orders created>=2026-01-01T08:00:05Z": lambda n: n // 4 >= 5,
    "bot:orders created<2026-01-01": lambda _n: False,
    "100%": lambda _n: False,
}


async def test_filters_keep_what_they_say(room: Room, runs: list[str]) -> None:
    for text, keeps in FILTERS.items():
        wanted = [run_id for run_id in runs if keeps(int(run_id[-2:]))]
        assert await found(room, filter=text) == wanted, text


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    limit=st.integers(1, 31),
    sort=st.sampled_from(["", "created", "-created"]),
    text=st.sampled_from(["", "state:failed"]),
)
async def test_pages_give_every_run_once_in_order(
    room: Room, runs: list[str], limit: int, sort: str, text: str
) -> None:
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await room.runs.list(CALLER, PageRequest(filter=text, sort=sort, cursor=cursor, limit=limit))
        assert len(page.items) <= limit
        seen += [run.id for run in page.items]
        cursor = page.next_cursor
    assert seen == await found(room, sort=sort, filter=text)
    assert len(seen) == (30 if not text else 10)


async def test_a_run_that_comes_between_two_pages_moves_nothing(room: Room, runs: list[str]) -> None:
    first = await room.runs.list(CALLER, PageRequest(limit=10))
    room.clock.advance(60)
    await room.ask()
    second = await room.runs.list(CALLER, PageRequest(limit=10, cursor=first.next_cursor or ""))
    assert [run.id for run in (*first.items, *second.items)] == runs[:20]


async def test_the_overview_counts_by_state(room: Room, runs: list[str]) -> None:
    counts = await room.runs.overview(CALLER)
    assert {state: count for state, count in counts.items() if count} == dict.fromkeys(STATES, 10)
    room.clock.advance(25 * 3600)
    later = await room.runs.overview(CALLER)
    assert (later[State.QUEUED], later[State.FAILED]) == (10, 0)
    assert runs
