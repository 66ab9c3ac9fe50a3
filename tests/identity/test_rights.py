"""Roles of one's own, roles at places, what they come to, and why."""

from collections.abc import Callable, Iterable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from controlroom.audit.models import AuditEntry
from controlroom.bots.models import Bot
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from controlroom.foundation.ids import new_id
from controlroom.foundation.paging import PageRequest
from controlroom.identity.caller import Caller
from controlroom.identity.models import User
from controlroom.identity.permissions import SHIPPED_MEANINGS, SHIPPED_ROLES, Permission, Scope
from controlroom.identity.places import BotAt, FolderAt, Place, Placed, PlaceKind, PoolsAt, counting_at
from controlroom.identity.roles import RoleEdit
from controlroom.identity.service import IdentityService

P = Permission
PASSWORD = "lamps over quiet rivers"


async def make_user(identity: IdentityService, console: Caller, name: str, *roles: str) -> User:
    made = await identity.accounts.create(console, name=name, roles=roles, password=PASSWORD)
    return made.user


async def caller_for(identity: IdentityService, console: Caller, name: str) -> Caller:
    """Return a caller with the rights that a user has now."""
    from controlroom.identity.rights import standing_of

    user = await identity.accounts.by_name(name)
    async with identity.accounts._database.read() as session:
        placed = (await standing_of(session, user)).placed
    return Caller(console.actor, user.id, user.name, placed.anywhere, session_id="ses_test", placed=placed)


async def add_bot(database: Database, clock: Clock, name: str, folder: str) -> str:
    bot = Bot(id=new_id("bot"), name=name, folder=folder, created_at=clock.now(), updated_at=clock.now())
    async with database.write() as transaction:
        transaction.session.add(bot)
    return bot.id


def unchecked(_revision: int) -> None:
    pass


def test_every_right_says_what_it_means_in_a_sentence() -> None:
    for right in Permission:
        assert right.meaning.endswith("."), right
        assert right.meaning[0].isupper(), right
        assert right.scope in Scope
    assert set(SHIPPED_MEANINGS) == set(SHIPPED_ROLES)
    assert SHIPPED_ROLES["administrator"] == frozenset(Permission)


def test_a_right_at_a_folder_holds_below_it_and_nowhere_else() -> None:
    placed = Placed({Place(PlaceKind.FOLDER, "/finance"): frozenset({P.RUN_READ})})
    held = [BotAt("b", "/finance"), BotAt("b", "/finance/monthly/x"), FolderAt("/finance/new")]
    assert all(P.RUN_READ in placed.at_place(at) for at in held)
    beyond = [
        BotAt("b", "/"),
        BotAt("b", "/finances"),
        BotAt("b", "/Finance"),
        FolderAt("/"),
        PoolsAt(frozenset()),
    ]
    assert not any(P.RUN_READ in placed.at_place(at) for at in beyond)


def test_rights_of_several_places_add_up() -> None:
    placed = Placed(
        {
            Place(PlaceKind.FOLDER, "/a"): frozenset({P.RUN_READ}),
            Place(PlaceKind.BOT, "bot_1"): frozenset({P.RUN_REQUEST}),
            Place(PlaceKind.POOL, "pol_1"): frozenset({P.DEVICE_READ}),
        }
    )
    assert placed.at_place(BotAt("bot_1", "/a/b")) == {P.RUN_READ, P.RUN_REQUEST}
    assert placed.at_place(PoolsAt(frozenset({"pol_1", "pol_2"}))) == {P.DEVICE_READ}
    assert placed.limited_to(frozenset({P.RUN_READ})).anywhere == {P.RUN_READ}


folders = st.lists(st.sampled_from(["a", "b", "aa"]), max_size=3).map(lambda parts: "/" + "/".join(parts))


@given(given_at=st.sets(folders), asked=folders)
def test_inheritance_is_by_whole_names_of_folders(given_at: set[str], asked: str) -> None:
    placed = Placed({Place(PlaceKind.FOLDER, path): frozenset({P.BOT_READ}) for path in given_at})
    parts = asked.strip("/").split("/")
    above = {"/"} | {"/" + "/".join(parts[:count]) for count in range(1, len(parts) + 1)}
    assert (P.BOT_READ in placed.at_place(FolderAt(asked))) is bool(above & given_at)


@given(given_at=st.sets(folders), asked=folders)
def test_the_query_filter_and_the_check_agree(given_at: set[str], asked: str) -> None:
    """What a list shows and what the check of one thing lets through are one and the same."""
    import sqlite3

    from sqlalchemy import column, table
    from sqlalchemy.dialects import sqlite

    from controlroom.audit.actor import SYSTEM
    from controlroom.identity.filters import bots_with

    placed = Placed({Place(PlaceKind.FOLDER, path): frozenset({P.BOT_READ}) for path in given_at})
    caller = Caller(SYSTEM, "u", "u", placed.anywhere, placed=placed)
    bots = table("bots", column("id"), column("folder"))
    query = select(bots.c.id).where(*bots_with(caller, P.BOT_READ, bot_id=bots.c.id, folder=bots.c.folder))
    text = str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE bots (id TEXT, folder TEXT)")
    database.execute("INSERT INTO bots VALUES ('b', ?)", (asked,))
    shown = database.execute(text).fetchall()
    database.close()
    assert bool(shown) is caller.may(P.BOT_READ, BotAt("b", asked))


async def test_a_role_of_ones_own_is_made_changed_and_removed(
    identity: IdentityService, console: Caller
) -> None:
    made = await identity.roles.create(
        console, name="Watcher", permissions=[P.RUN_READ], description="Watches."
    )
    assert (made.name, made.is_shipped, made.permissions) == ("watcher", False, {P.RUN_READ})
    await make_user(identity, console, "alice", "watcher")
    edited = await identity.roles.edit(
        console, "watcher", RoleEdit(permissions=[P.RUN_READ, P.BOT_READ]), check_revision=unchecked
    )
    assert edited.revision == 2
    assert (await caller_for(identity, console, "alice")).everywhere == {P.RUN_READ, P.BOT_READ}
    with pytest.raises(Conflict, match="given 1 times"):
        await identity.roles.delete(console, "watcher")
    alice = await identity.accounts.by_name("alice")
    await identity.accounts.edit(console, alice.id, roles=[])
    await identity.roles.delete(console, "watcher")
    with pytest.raises(NotFound):
        await identity.roles.get("watcher")


async def test_what_cannot_stand_of_a_role_is_refused(identity: IdentityService, console: Caller) -> None:
    for name in ("operator", "Operator"):
        with pytest.raises(Conflict, match="already"):
            await identity.roles.create(console, name=name, permissions=[P.RUN_READ])
    with pytest.raises(Invalid, match="at least one right"):
        await identity.roles.create(console, name="empty", permissions=[])
    with pytest.raises(Conflict, match="ships with the product"):
        await identity.roles.edit(
            console, "viewer", RoleEdit(permissions=[P.RUN_READ]), check_revision=unchecked
        )
    with pytest.raises(Conflict, match="ships with the product"):
        await identity.roles.delete(console, "viewer")


async def test_nobody_makes_a_role_that_has_more_than_they(
    identity: IdentityService, console: Caller
) -> None:
    await identity.roles.create(
        console, name="role-keeper", permissions=[P.ROLE_MANAGE, P.RUN_READ, P.RIGHTS_MANAGE]
    )
    await make_user(identity, console, "keeper", "role-keeper")
    keeper = await caller_for(identity, console, "keeper")
    with pytest.raises(Forbidden, match=r"user\.manage"):
        await identity.roles.create(keeper, name="king", permissions=[P.USER_MANAGE])
    await identity.roles.create(console, name="strong", permissions=[P.USER_READ, P.RUN_READ])
    with pytest.raises(Forbidden, match=r"user\.read"):
        await identity.roles.edit(
            keeper, "strong", RoleEdit(permissions=[P.RUN_READ]), check_revision=unchecked
        )
    with pytest.raises(Forbidden, match=r"run\.control"):
        await identity.assignments.give(
            keeper, user="keeper", role="operator", kind=PlaceKind.FOLDER, place="/x"
        )


async def test_the_last_role_that_manages_users_keeps_that_right(
    identity: IdentityService, console: Caller
) -> None:
    await identity.roles.create(console, name="chief", permissions=[P.USER_MANAGE, P.RUN_READ])
    await make_user(identity, console, "chief", "chief")
    with pytest.raises(Conflict, match="Nobody would be left"):
        await identity.roles.edit(
            console, "chief", RoleEdit(permissions=[P.RUN_READ]), check_revision=unchecked
        )


async def test_a_role_given_at_a_place_counts_there_leaves_its_entry_and_can_be_taken(
    identity: IdentityService, console: Caller, database: Database, clock: Clock
) -> None:
    await make_user(identity, console, "alice")
    bot_id = await add_bot(database, clock, "reconcile", "/finance/monthly")
    given_role = await identity.assignments.give(
        console, user="alice", role="operator", kind=PlaceKind.FOLDER, place="/finance/"
    )
    again = await identity.assignments.give(
        console, user="alice", role="operator", kind=PlaceKind.FOLDER, place="/finance"
    )
    assert given_role.assignment.id == again.assignment.id
    alice = await caller_for(identity, console, "alice")
    assert alice.may(P.RUN_CONTROL, BotAt(bot_id, "/finance/monthly"))
    assert not alice.may(P.RUN_CONTROL, BotAt("bot_x", "/sales"))
    assert alice.everywhere == {P.OWN_ACCOUNT}
    assert P.DEVICE_MANAGE not in alice.permissions  # means nothing at a folder
    await identity.assignments.take(console, given_role.assignment.id)
    assert (await caller_for(identity, console, "alice")).permissions == frozenset()
    async with database.read() as session:
        actions = (await session.scalars(select(AuditEntry.action).order_by(AuditEntry.number))).all()
    assert list(actions)[-2:] == ["user.role_given", "user.role_taken"]


async def test_a_folders_keeper_gives_roles_there_and_nowhere_else(
    identity: IdentityService, console: Caller, database: Database, clock: Clock
) -> None:
    await identity.roles.create(
        console, name="keeper", permissions=[P.RIGHTS_MANAGE, *SHIPPED_ROLES["viewer"]]
    )
    await make_user(identity, console, "keeper")
    await make_user(identity, console, "alice")
    elsewhere = await add_bot(database, clock, "payroll", "/staff")
    for place in ("/finance", "/staff"):
        await identity.assignments.give(
            console, user="alice", role="viewer", kind=PlaceKind.FOLDER, place=place
        )
    await identity.assignments.give(
        console, user="keeper", role="keeper", kind=PlaceKind.FOLDER, place="/finance"
    )
    keeper = await caller_for(identity, console, "keeper")
    made = await identity.assignments.give(
        keeper, user="alice", role="viewer", kind=PlaceKind.FOLDER, place="/finance/monthly"
    )
    with pytest.raises(Forbidden):
        await identity.assignments.give(
            keeper, user="alice", role="operator", kind=PlaceKind.FOLDER, place="/finance"
        )
    with pytest.raises(NotFound, match="no folder '/staff'"):
        await identity.assignments.give(
            keeper, user="alice", role="viewer", kind=PlaceKind.FOLDER, place="/staff"
        )
    with pytest.raises(NotFound, match="no bot"):
        await identity.assignments.give(
            keeper, user="alice", role="viewer", kind=PlaceKind.BOT, place=elsewhere
        )
    seen = await identity.assignments.page(keeper, PageRequest())
    assert {view.assignment.place for view in seen.items} == {"/finance", "/finance/monthly"}
    await identity.assignments.take(keeper, made.assignment.id)
    beyond = next(
        view.assignment.id
        for view in (await identity.assignments.page(console, PageRequest())).items
        if view.assignment.place == "/staff"
    )
    with pytest.raises(NotFound):
        await identity.assignments.take(keeper, beyond)


async def test_who_manages_users_reaches_no_one_who_has_more_anywhere(
    identity: IdentityService, console: Caller
) -> None:
    await identity.roles.create(console, name="clerk", permissions=[P.USER_READ, P.USER_MANAGE])
    await make_user(identity, console, "clerk", "clerk")
    alice = await make_user(identity, console, "alice")
    await identity.assignments.give(
        console, user="alice", role="operator", kind=PlaceKind.FOLDER, place="/finance"
    )
    clerk = await caller_for(identity, console, "clerk")
    with pytest.raises(Forbidden, match=r"run\.control"):
        await identity.accounts.reset_password(clerk, alice.id)


WHY: list[tuple[tuple[str, PlaceKind, str], bool, str]] = [
    (("run.request", PlaceKind.BOT, "reconcile"), True, "the role operator, given at /finance"),
    (("run.request", PlaceKind.FOLDER, "/finance/x"), True, "the role operator, given at /finance"),
    (("run.request", PlaceKind.FOLDER, "/sales"), False, "No role that they have there"),
    (("run.request", PlaceKind.ROOT, ""), False, "No role that they have there"),
    (("bot.read", PlaceKind.FOLDER, "/sales"), True, "the role viewer, given at the root"),
    (("user.read", PlaceKind.FOLDER, "/finance"), False, "means nothing at a folder"),
    (("own.account", PlaceKind.ROOT, ""), True, "the role viewer"),
]


@pytest.mark.parametrize(("asked", "allowed", "words"), WHY)
async def test_why_she_may_and_why_not(
    identity: IdentityService,
    console: Caller,
    database: Database,
    clock: Clock,
    asked: tuple[str, PlaceKind, str],
    allowed: bool,
    words: str,
) -> None:
    await make_user(identity, console, "alice", "viewer")
    await add_bot(database, clock, "reconcile", "/finance/monthly")
    await identity.assignments.give(
        console, user="alice", role="operator", kind=PlaceKind.FOLDER, place="/finance"
    )
    found = await identity.explanations.explain("alice", Permission(asked[0]), asked[1], asked[2])
    assert (found.allowed, words in found.sentence) == (allowed, True), found.sentence


async def test_why_names_what_keeps_a_user_from_everything(
    identity: IdentityService, console: Caller
) -> None:
    alice = await make_user(identity, console, "alice", "viewer")
    await identity.roles.edit(
        console, "viewer", RoleEdit(requires_second_factor=True), check_revision=unchecked
    )
    await identity.accounts.disable(console, alice.id)
    found = await identity.explanations.explain(alice.id, P.RUN_READ)
    assert not found.allowed
    assert found.hindrances == (
        "The user is disabled.",
        "A role asks for a second factor, and the user has enrolled none.",
    )
    assert "viewer" in found.roles_with_it


@given(rights=st.sets(st.sampled_from(list(Permission))), kind=st.sampled_from(PlaceKind))
def test_what_counts_at_a_place_is_never_more_than_the_role_holds(
    rights: Iterable[Permission], kind: PlaceKind
) -> None:
    counting = counting_at(kind, frozenset(rights))
    assert counting <= frozenset(rights)
    if kind is not PlaceKind.ROOT:
        assert all(right.scope is not Scope.ROOT for right in counting)


async def test_the_api_of_roles_and_assignments(
    identity: IdentityService, console: Caller, browsers: Callable[[], httpx.AsyncClient]
) -> None:
    await identity.accounts.create(console, name="admin", roles=["administrator"], password=PASSWORD)
    await make_user(identity, console, "alice")
    browser = browsers()
    signed_in = await browser.post("/api/v1/session", json={"name": "admin", "password": PASSWORD})
    headers = {"X-CSRF-Token": signed_in.json()["csrf_token"]}
    body = {"name": "night-shift", "permissions": ["run.read", "run.control"], "description": "At night."}
    role = await browser.post("/api/v1/roles", json=body, headers=headers)
    assert (role.status_code, role.headers["location"]) == (201, "/api/v1/roles/night-shift")
    stale = await browser.patch(
        "/api/v1/roles/night-shift", json={"description": "x"}, headers={**headers, "If-Match": '"9"'}
    )
    assert stale.status_code == 412
    wanted = {"user": "alice", "role": "night-shift", "kind": "folder", "place": "/finance"}
    given_role = await browser.post("/api/v1/role-assignments", json=wanted, headers=headers)
    assert given_role.json()["place_name"] == "/finance"
    query = {"permission": "run.control", "kind": "folder", "place": "/finance/x"}
    why = (await browser.get("/api/v1/users/alice/why", params=query)).json()
    assert (why["allowed"], why["reasons"][0]["role"]) == (True, "night-shift")
    listed = (await browser.get("/api/v1/role-assignments?filter=user:alice")).json()["items"]
    assert [each["role"] for each in listed] == ["night-shift"]
    gone = await browser.delete(f"/api/v1/role-assignments/{listed[0]['id']}", headers=headers)
    assert gone.status_code == 204
    rights = (await browser.get("/api/v1/permissions")).json()
    assert {right["name"] for right in rights} == set(Permission)
    shown = await browser.get("/api/v1/roles/night-shift")
    removed = await browser.delete("/api/v1/roles/night-shift", headers=headers)
    assert (shown.headers["etag"], removed.status_code) == ('"1"', 204)
