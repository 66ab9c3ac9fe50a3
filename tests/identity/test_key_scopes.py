"""A key's rights are never wider than its owner's, whatever is done to roles, places and the key in between."""

import asyncio
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import SteeredClock
from controlroom.audit.actor import SYSTEM
from controlroom.foundation.cache.memory import MemoryCache
from controlroom.foundation.database import Database
from controlroom.foundation.settings import Settings
from controlroom.identity.permissions import SHIPPED_ROLES, Permission
from controlroom.identity.places import EVERYWHERE, BotAt, FolderAt, PlaceKind, PoolsAt
from controlroom.identity.rights import Given, placed_rights, standing_of
from controlroom.identity.roles import RoleEdit
from controlroom.identity.service import IdentityService, local_caller
from controlroom.server.schema import create_tables
from identity.conftest import QUICK

CONSOLE = local_caller(SYSTEM)
ASKED = (
    EVERYWHERE, FolderAt("/"), FolderAt("/a"), FolderAt("/a/b"), FolderAt("/c"), BotAt("bot_1", "/a"), BotAt("bot_2", "/"),
    PoolsAt(frozenset()), PoolsAt(frozenset({"pol_1"})),
)  # fmt: skip
folders = st.sampled_from(["/", "/a", "/a/b", "/c"])
rights = st.frozensets(st.sampled_from(list(Permission)), min_size=1)
roles = st.sampled_from([*SHIPPED_ROLES, "own"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("give"), roles, folders),
        st.tuples(st.just("take"), st.integers(0, 9)),
        st.tuples(st.just("root"), st.lists(roles, max_size=2)),
        st.tuples(st.just("role"), rights),
        st.tuples(st.just("rotate")),
        st.tuples(st.just("wait"), st.integers(0, 20)),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(scope=rights, changes=steps)
def test_whatever_is_changed_a_key_has_no_more_than_its_owner_anywhere(
    scope: frozenset[Permission], changes: list[tuple[Any, ...]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_play(Path(folder), scope, changes))


async def _play(folder: Path, scope: frozenset[Permission], changes: list[tuple[Any, ...]]) -> None:
    database, clock = Database(f"sqlite+aiosqlite:///{folder}/test.db"), SteeredClock()
    identity = IdentityService(database, MemoryCache(clock), clock, Settings(), hash_parameters=QUICK)
    try:
        await create_tables(database)
        await identity.roles.create(CONSOLE, name="own", permissions=scope, description="")
        owner = (
            await identity.accounts.create(
                CONSOLE, name="owner", roles=["administrator"], password="lamps over rivers"
            )
        ).user
        everything = frozenset(Permission)
        signed_in = replace(
            CONSOLE, user_id=owner.id, user_name="owner", permissions=everything, session_id="ses_1"
        )
        end = clock.now() + timedelta(days=300)
        made = await identity.api_keys.create(signed_in, name="k", permissions=scope, expires_at=end)
        await identity.accounts.create(
            CONSOLE, name="other", roles=["administrator"], password="lamps over rivers"
        )
        secret, key_id = made.secret, made.key.id
        for change in changes:
            if change[0] == "rotate":
                rotated = await identity.api_keys.rotate(
                    signed_in, key_id, expires_at=clock.now() + timedelta(days=200), overlap=timedelta(0)
                )
                secret, key_id = rotated.secret, rotated.key.id
            else:
                await _change(identity, clock, owner.id, change)
            found = await identity.authentication.by_api_key(secret)
            user = await identity.accounts.get(owner.id)
            async with database.read() as session:
                owners = (await standing_of(session, user)).placed
            assert found is not None
            for at in ASKED:
                has = found.placed.at_place(at)
                assert has == owners.at_place(at) & scope
                assert all(found.caller(address="", request_id="").may(right, at) for right in has)
    finally:
        await identity.close()
        await database.close()


async def _change(
    identity: IdentityService, clock: SteeredClock, owner_id: str, change: tuple[Any, ...]
) -> None:
    match change:
        case ("give", role, folder):
            held = SHIPPED_ROLES.get(role) or (await identity.roles.get(role)).permissions
            if any(right.scope in ("bots", "places") for right in held):
                await identity.assignments.give(
                    CONSOLE, user="owner", role=role, kind=PlaceKind.FOLDER, place=folder
                )
        case ("take", number):
            async with identity.accounts._database.read() as session:
                given_ = (await standing_of(session, await identity.accounts.get(owner_id))).given
            placed = [each.assignment_id for each in given_ if each.assignment_id]
            if placed:
                await identity.assignments.take(CONSOLE, placed[number % len(placed)])
        case ("root", names):
            await identity.accounts.edit(CONSOLE, owner_id, roles=names)
        case ("role", permissions):
            await identity.roles.edit(
                CONSOLE, "own", RoleEdit(permissions=permissions), check_revision=lambda _revision: None
            )
        case ("wait", seconds):
            clock.advance(seconds)


@given(
    held=st.dictionaries(st.sampled_from(["/", "/a", "/a/b", "/c"]), st.sampled_from(list(SHIPPED_ROLES))),
    scope=rights,
)
def test_a_limit_takes_rights_and_gives_none(held: dict[str, str], scope: frozenset[Permission]) -> None:
    from controlroom.identity.places import Place

    owners = placed_rights(
        [Given(role, Place(PlaceKind.FOLDER, folder)) for folder, role in held.items()], SHIPPED_ROLES
    )
    for at in ASKED:
        assert owners.limited_to(scope).at_place(at) == owners.at_place(at) & scope
