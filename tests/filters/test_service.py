"""Saved filters on both databases: whose they are, who sees them, what is audited."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from conftest import SteeredClock
from controlroom.audit.actor import SYSTEM
from controlroom.audit.models import AuditEntry
from controlroom.filters.errors import FilterNameTaken, FilterOfAnother, NoSuchFilter
from controlroom.filters.schemas import FilterEditIn, FilterIn
from controlroom.filters.service import FilterService
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Forbidden, Invalid
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.service import local_caller
from controlroom.server.lists import LISTS
from controlroom.web.pages.activity.view import RUNS
from controlroom.web.pages.administration.keys.view import KEYS
from controlroom.web.pages.administration.sessions.view import SESSIONS
from controlroom.web.pages.administration.users.view import USERS
from controlroom.web.pages.audit.view import ENTRIES
from controlroom.web.pages.bots.view import BOTS
from controlroom.web.pages.devices.view import DEVICES
from controlroom.web.pages.pools.view import POOLS

TABLES = {spec.name: spec for spec in (RUNS, KEYS, SESSIONS, USERS, ENTRIES, BOTS, DEVICES, POOLS)}

OWN = frozenset({Permission.OWN_ACCOUNT})
ANN: Caller = replace(local_caller(SYSTEM), user_id="usr_ann", user_name="ann", permissions=OWN)
BOB: Caller = replace(ANN, user_id="usr_bob", user_name="bob")
ROOT: Caller = replace(ANN, user_id="usr_root", user_name="root", permissions=OWN | {Permission.USER_MANAGE})
FAILED = FilterIn(list_name="runs", name="Failed", filter="state:failed")


@pytest.fixture
def filters(database: Database, clock: SteeredClock) -> FilterService:
    return FilterService(database, clock, LISTS)


async def test_a_filter_is_its_owners_until_it_is_shared(filters: FilterService) -> None:
    kept = await filters.keep(ANN, FAILED)
    assert [each.name for each in await filters.visible(ANN, "runs")] == ["Failed"]
    assert await filters.visible(BOB, "runs") == []
    with pytest.raises(NoSuchFilter):
        await filters.get(BOB, kept.id)
    await filters.edit(ANN, kept.id, FilterEditIn(shared=True))
    assert [each.owner_name for each in await filters.visible(BOB, "runs")] == ["ann"]
    assert await filters.visible(BOB, "devices") == []


async def test_only_the_owner_changes_a_shared_filter(filters: FilterService) -> None:
    kept = await filters.keep(ANN, FAILED.model_copy(update={"shared": True}))
    with pytest.raises(FilterOfAnother, match="belongs to ann"):
        await filters.edit(BOB, kept.id, FilterEditIn(filter=""))
    with pytest.raises(FilterOfAnother):
        await filters.drop(BOB, kept.id)
    with pytest.raises(FilterOfAnother):
        await filters.edit(ROOT, kept.id, FilterEditIn(filter=""))
    await filters.drop(ROOT, kept.id)
    assert await filters.visible(ANN) == []


async def test_a_name_is_taken_once_a_person_and_list(filters: FilterService) -> None:
    await filters.keep(ANN, FAILED)
    with pytest.raises(FilterNameTaken, match="'Failed'"):
        await filters.keep(ANN, FAILED)
    await filters.keep(BOB, FAILED)
    other = await filters.keep(ANN, FAILED.model_copy(update={"name": "Lost"}))
    with pytest.raises(FilterNameTaken):
        await filters.edit(ANN, other.id, FilterEditIn(name="Failed"))


async def test_every_change_is_audited_and_a_change_of_nothing_is_none(
    filters: FilterService, database: Database
) -> None:
    kept = await filters.keep(ANN, FAILED)
    await filters.edit(ANN, kept.id, FilterEditIn(filter="state:failed"))
    await filters.edit(ANN, kept.id, FilterEditIn(filter="state:lost"))
    await filters.drop(ANN, kept.id)
    async with database.read() as session:
        actions = await session.scalars(select(AuditEntry.action).order_by(AuditEntry.number))
        assert list(actions) == ["filter.kept", "filter.edited", "filter.dropped"]


async def test_who_has_no_account_of_their_own_keeps_none(filters: FilterService) -> None:
    with pytest.raises(Forbidden):
        await filters.keep(replace(ANN, permissions=frozenset()), FAILED)


@pytest.mark.parametrize(
    ("changes", "pointer", "words"),
    [
        ({"filter": "stat:failed"}, "/filter", "no field 'stat' to filter by; there are"),
        ({"filter": "state:broken"}, "/filter", "'state' is one of"),
        ({"filter": "created>=yesterday"}, "/filter", "needs a date such as"),
        ({"filter": '"not closed'}, "/filter", "quotation mark"),
        ({"sort": "-colour"}, "/sort", "cannot be sorted by 'colour'"),
        ({"list_name": "lorries"}, "/list_name", "no list 'lorries'"),
    ],
)
async def test_what_its_list_cannot_read_is_not_kept(
    filters: FilterService, changes: dict[str, str], pointer: str, words: str
) -> None:
    with pytest.raises(Invalid, match=words) as caught:
        await filters.keep(ANN, FAILED.model_copy(update=changes))
    assert [field.pointer for field in caught.value.fields] == [pointer]
    assert await filters.visible(ANN) == []


async def test_an_edit_to_what_its_list_cannot_read_changes_nothing(filters: FilterService) -> None:
    kept = await filters.keep(ANN, FAILED)
    with pytest.raises(Invalid, match="'state' is one of"):
        await filters.edit(ANN, kept.id, FilterEditIn(name="Broken", filter="state:broken"))
    assert [(each.name, each.filter) for each in await filters.visible(ANN)] == [("Failed", "state:failed")]


@pytest.mark.parametrize("name", sorted(LISTS))
async def test_every_list_keeps_the_example_that_its_page_shows(filters: FilterService, name: str) -> None:
    """The tables of the UI and the lists that filters are kept for have the same names."""
    assert name in TABLES
    await filters.keep(ANN, FilterIn(list_name=name, name="Example", filter=TABLES[name].example))
    assert len(LISTS) == len(TABLES)
