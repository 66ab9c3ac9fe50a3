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
from controlroom.foundation.errors import Forbidden
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.service import local_caller

OWN = frozenset({Permission.OWN_ACCOUNT})
ANN: Caller = replace(local_caller(SYSTEM), user_id="usr_ann", user_name="ann", permissions=OWN)
BOB: Caller = replace(ANN, user_id="usr_bob", user_name="bob")
ROOT: Caller = replace(ANN, user_id="usr_root", user_name="root", permissions=OWN | {Permission.USER_MANAGE})
FAILED = FilterIn(list_name="runs", name="Failed", filter="state:failed")


@pytest.fixture
def filters(database: Database, clock: SteeredClock) -> FilterService:
    return FilterService(database, clock)


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
