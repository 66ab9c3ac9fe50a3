"""Pages of runs for who may see some bots only are the same rows in the same order, however they are read."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from controlroom.audit.actor import SYSTEM
from controlroom.bots.models import Bot, BotVersion
from controlroom.foundation.errors import Invalid
from controlroom.foundation.ids import new_id
from controlroom.foundation.paging import PageRequest
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import SHIPPED_ROLES
from controlroom.identity.places import Place, Placed, PlaceKind
from controlroom.runs.models import Run
from controlroom.runs.newest import keys_by_bot
from controlroom.runs.states import State
from runs.conftest import CALLER, Room

STATES = (State.SUCCEEDED, State.FAILED, State.LOST)


def viewer(*folders: str) -> Caller:
    placed = Placed({Place(PlaceKind.FOLDER, folder): SHIPPED_ROLES["viewer"] for folder in folders})
    return Caller(SYSTEM, "usr_1", "alice", placed.anywhere, session_id="ses", placed=placed)


async def store(room: Room) -> None:
    """Put runs into three folders, some at the same moment; the bots of a fourth never ran."""
    now = room.clock.now()
    async with room.database.write() as transaction:
        session = transaction.session
        version = (await session.scalars(select(BotVersion))).one()
        for place, folder in enumerate(("/a", "/b", "/c/deep", "/never")):
            bot_id = new_id("bot")
            session.add(
                Bot(id=bot_id, name=f"bot{place}", folder=folder, created_at=now, updated_at=now, revision=1)
            )
            await session.flush()
            rows = [
                {
                    "id": new_id("run"), "bot_id": bot_id, "bot_name": f"bot{place}", "version_id": version.id,
                    "version_number": 1, "state": STATES[(number + place) % 3], "state_since": now, "inputs": {}, "outputs": {},
                    "requested_by_id": "u", "requested_by": "u", "labels": [], "retry": {}, "not_before": now,
                    "created_at": now - timedelta(seconds=number // 2 * (place + 1)), "queued_at": now,
                }
                for number in range(17 if folder != "/never" else 0)
            ]  # fmt: skip
            if rows:
                await session.execute(insert(Run), rows)


async def all_pages(room: Room, caller: Caller, filter_: str, sort: str) -> list[str]:
    found: list[str] = []
    cursor = ""
    while True:
        page = await room.runs.list(caller, PageRequest(filter_, sort, cursor, 4))
        found += [run.id for run in page.items]
        if page.next_cursor is None:
            return found
        cursor = page.next_cursor


@pytest.mark.parametrize("sort", ["", "created", "-created"])
@pytest.mark.parametrize(
    "filter_", ["", "state:failed", "state:failed,lost created<2026-01-01T07:59:58Z", "-state:failed", "bot0"]
)
async def test_pages_hold_every_run_that_may_be_seen_once_and_in_order(
    room: Room, filter_: str, sort: str
) -> None:
    await store(room)
    everything = await all_pages(room, CALLER, filter_, sort)
    async with room.database.read() as session:
        rows = await session.execute(select(Run.id, Bot.folder).join(Bot, Bot.id == Run.bot_id))
        folders = {run_id: folder for run_id, folder in rows}  # noqa: C416  # rows are not pairs to the type checker
    for seen in (("/a",), ("/a", "/c"), ("/never",), ("/a", "/b", "/c", "/never"), ("/elsewhere",)):
        expected = [run_id for run_id in everything if folders[run_id].startswith(seen)]
        assert await all_pages(room, viewer(*seen), filter_, sort) == expected


async def test_a_filter_that_cannot_stand_is_refused_even_where_nothing_would_be_found(room: Room) -> None:
    for wrong in ("state:nonsense", "created>yesterday", "zebra:1"):
        with pytest.raises(Invalid):
            await room.runs.list(viewer("/elsewhere"), PageRequest(wrong))


@pytest.mark.parametrize(
    ("filter_", "sort", "by_bot"),
    [
        ("", "", True), ("state:failed", "-created", True), ("state:failed created>=2026-01-31T08:00:00Z", "", True),
        ("by:alice", "", False), ("state:failed zebra", "", False), ("-state:failed", "", False), ("state:a,b", "", False),
    ],
)  # fmt: skip
def test_only_what_the_indexes_answer_is_read_bot_by_bot(filter_: str, sort: str, by_bot: bool) -> None:
    bots = [f"bot_{number}" for number in range(60)]
    assert (keys_by_bot(bots, PageRequest(filter_, sort)) is not None) is by_bot
