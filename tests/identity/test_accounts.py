import asyncio

import pytest
from sqlalchemy import select

from controlroom.audit.actor import Actor, ActorKind
from controlroom.audit.models import AuditEntry
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Conflict, Forbidden, Invalid, NotFound, PreconditionFailed
from controlroom.foundation.outbox import read_events
from controlroom.foundation.paging import PageRequest
from controlroom.identity.caller import Caller
from controlroom.identity.errors import WeakPassword, WrongCredentials
from controlroom.identity.models import User
from controlroom.identity.permissions import Permission, permissions_of
from controlroom.identity.service import IdentityService
from controlroom.identity.sessions import Origin

PASSWORD = "lamps over quiet rivers"
HERE = Origin("192.0.2.7")


async def add(identity: IdentityService, console: Caller, name: str, *roles: str) -> User:
    return (
        await identity.accounts.create(console, name=name, roles=roles or ["operator"], password=PASSWORD)
    ).user


def as_caller(user: User) -> Caller:
    actor = Actor(ActorKind.USER, user.id, user.name)
    return Caller(actor, user.id, user.name, permissions_of(user.roles), session_id="ses_test")


async def actions(database: Database) -> list[str]:
    async with database.read() as session:
        return list(await session.scalars(select(AuditEntry.action).order_by(AuditEntry.number)))


async def test_the_first_start_makes_one_administrator_and_tells_the_password_once(
    identity: IdentityService, database: Database
) -> None:
    password = await identity.ensure_administrator()
    assert password
    assert await identity.ensure_administrator() is None
    signed_in = await identity.local.sign_in(name="admin", password=password, origin=HERE)
    assert permissions_of(signed_in.user.roles) == set(Permission)
    async with database.read() as session:
        kept = await session.scalar(select(User.password_hash))
        details = str((await session.execute(select(AuditEntry.detail))).all())
    assert password not in f"{kept}{details}"


async def test_nodes_that_start_at_once_make_one_administrator(identity: IdentityService) -> None:
    given = await asyncio.gather(*(identity.ensure_administrator(name=f"admin{n}") for n in range(5)))
    assert sum(password is not None for password in given) == 1
    assert await identity.accounts.count() == 1


async def test_a_user_is_created_with_audit_entry_and_event(
    identity: IdentityService, database: Database, console: Caller
) -> None:
    given = await identity.accounts.create(console, name=" Alice ", roles=["viewer", "operator", "viewer"])
    assert given.user.name == "alice"
    assert given.user.roles == ["operator", "viewer"]
    assert given.generated
    async with database.read() as session:
        entry = (await session.scalars(select(AuditEntry))).one()
        (event,) = await read_events(session, after=0)
    assert (entry.action, entry.target_name, entry.detail) == (
        "user.created",
        "alice",
        {"kind": "person", "roles": ["operator", "viewer"]},
    )
    assert (event.kind, event.subject, event.data) == ("user.changed", given.user.id, {"change": "created"})


async def test_a_taken_name_is_refused_and_leaves_nothing(
    identity: IdentityService, database: Database, console: Caller
) -> None:
    await add(identity, console, "alice")
    with pytest.raises(Conflict, match="alice"):
        await add(identity, console, "ALICE")
    assert await actions(database) == ["user.created"]


async def test_names_that_nobody_could_type_are_refused(identity: IdentityService, console: Caller) -> None:
    for name in ("", "-alice", "al ice", "alice\0", "älice", "a" * 101, "ali\nce"):
        with pytest.raises(Invalid) as refused:
            await add(identity, console, name)
        assert refused.value.fields[0].pointer == "/name"


async def test_a_weak_password_and_an_unknown_role_are_refused(
    identity: IdentityService, console: Caller
) -> None:
    with pytest.raises(WeakPassword):
        await identity.accounts.create(console, name="alice", roles=["viewer"], password="alice-alice-alice")
    with pytest.raises(Invalid) as refused:
        await identity.accounts.create(console, name="alice", roles=["viewer", "king"])
    assert refused.value.fields[0].pointer == "/roles/1"
    assert await identity.accounts.count() == 0


async def test_an_edit_changes_what_is_given_and_raises_the_revision(
    identity: IdentityService, database: Database, console: Caller
) -> None:
    user = await add(identity, console, "alice", "viewer")
    edited = await identity.accounts.edit(console, user.id, roles=["operator"])
    assert (edited.roles, edited.display_name, edited.revision) == (["operator"], "", 2)
    same = await identity.accounts.edit(console, user.id, roles=["operator"], display_name="  ")
    assert same.revision == 2
    assert await actions(database) == ["user.created", "user.changed"]


async def test_a_refused_revision_changes_nothing(identity: IdentityService, console: Caller) -> None:
    user = await add(identity, console, "alice")

    def refuse(revision: int) -> None:
        raise PreconditionFailed(f"revision {revision}")

    with pytest.raises(PreconditionFailed, match="revision 1"):
        await identity.accounts.edit(console, user.id, display_name="Alice", check_revision=refuse)
    assert (await identity.accounts.get(user.id)).display_name == ""


async def test_nobody_gives_or_touches_rights_beyond_their_own(
    identity: IdentityService, console: Caller
) -> None:
    admin = await add(identity, console, "root", "administrator")
    user = await add(identity, console, "alice", "viewer")
    scoped = Caller(
        Actor(ActorKind.API_KEY, "key_1", "root (ci)"), admin.id, "root", frozenset({Permission.USER_MANAGE})
        | permissions_of(["viewer"]), api_key_id="key_1",
    )  # fmt: skip
    with pytest.raises(Forbidden, match=r"audit\.read"):
        await identity.accounts.create(scoped, name="mallory", roles=["administrator"])
    with pytest.raises(Forbidden):
        await identity.accounts.edit(scoped, user.id, roles=["administrator"])
    with pytest.raises(Forbidden):
        await identity.accounts.edit(scoped, admin.id, roles=["viewer"])
    other_admin = await add(identity, console, "root2", "administrator")
    with pytest.raises(Forbidden):
        await identity.accounts.reset_password(scoped, other_admin.id)
    with pytest.raises(Forbidden):
        await identity.accounts.disable(scoped, other_admin.id)
    assert (await identity.accounts.edit(scoped, user.id, display_name="Alice")).display_name == "Alice"


async def test_the_last_administrator_stays(identity: IdentityService, console: Caller) -> None:
    admin = await add(identity, console, "root", "administrator")
    with pytest.raises(Conflict, match="last"):
        await identity.accounts.disable(console, admin.id)
    with pytest.raises(Conflict, match="last"):
        await identity.accounts.edit(console, admin.id, roles=["viewer"])
    await add(identity, console, "root2", "administrator")
    await identity.accounts.edit(console, admin.id, roles=["viewer"])


async def test_two_administrators_cannot_remove_each_other_at_once(
    identity: IdentityService, console: Caller
) -> None:
    one = await add(identity, console, "one", "administrator")
    two = await add(identity, console, "two", "administrator")
    results = await asyncio.gather(
        identity.accounts.disable(as_caller(one), two.id),
        identity.accounts.disable(as_caller(two), one.id),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Conflict) for result in results) == 1


async def test_nobody_disables_themselves_or_resets_their_own_password(
    identity: IdentityService, console: Caller
) -> None:
    admin = await add(identity, console, "root", "administrator")
    await add(identity, console, "root2", "administrator")
    with pytest.raises(Conflict):
        await identity.accounts.disable(as_caller(admin), admin.id)
    with pytest.raises(Conflict):
        await identity.accounts.reset_password(as_caller(admin), admin.id)


async def test_a_disabled_user_is_out_at_once_and_stays_out_until_enabled(
    identity: IdentityService, database: Database, console: Caller
) -> None:
    user = await add(identity, console, "alice")
    signed_in = await identity.local.sign_in(name="alice", password=PASSWORD, origin=HERE)
    assert await identity.authentication.by_session(signed_in.token)
    await identity.accounts.disable(console, user.id)
    await identity.accounts.disable(console, user.id)
    assert await identity.authentication.by_session(signed_in.token) is None
    with pytest.raises(WrongCredentials):
        await identity.local.sign_in(name="alice", password=PASSWORD, origin=HERE)
    await identity.accounts.enable(console, user.id)
    assert await identity.authentication.by_session(signed_in.token) is None
    await identity.local.sign_in(name="alice", password=PASSWORD, origin=HERE)
    assert await actions(database) == [
        "user.created", "session.started", "user.disabled", "session.refused", "user.enabled", "session.started",
    ]  # fmt: skip


async def test_a_reset_password_ends_the_sessions_and_replaces_the_old_one(
    identity: IdentityService, console: Caller
) -> None:
    user = await add(identity, console, "alice")
    signed_in = await identity.local.sign_in(name="alice", password=PASSWORD, origin=HERE)
    given = await identity.accounts.reset_password(console, user.id)
    assert await identity.authentication.by_session(signed_in.token) is None
    with pytest.raises(WrongCredentials):
        await identity.local.sign_in(name="alice", password=PASSWORD, origin=HERE)
    assert given.generated
    await identity.local.sign_in(name="alice", password=given.generated, origin=HERE)


async def test_an_unknown_user_is_not_found(identity: IdentityService, console: Caller) -> None:
    for user_id in ("usr_01jdq3v0t8k2w9c5m7x4n6p1ha", "nobody", "\0", "x" * 5000):
        for act in (
            identity.accounts.get(user_id),
            identity.accounts.edit(console, user_id, display_name="x"),
            identity.accounts.disable(console, user_id),
            identity.accounts.reset_password(console, user_id),
        ):
            with pytest.raises(NotFound):
                await act


async def test_users_are_found_by_role_state_and_text(identity: IdentityService, console: Caller) -> None:
    await add(identity, console, "root", "administrator")
    alice = await add(identity, console, "alice", "operator", "viewer")
    await add(identity, console, "bob", "viewer")
    await identity.accounts.edit(console, alice.id, display_name="Alice Liddell")
    await identity.accounts.disable(console, alice.id)

    async def names(filter_: str) -> list[str]:
        return [user.name for user in (await identity.accounts.page(PageRequest(filter=filter_))).items]

    assert await names("") == ["alice", "bob", "root"]
    assert await names("role:viewer") == ["alice", "bob"]
    assert await names("role:view") == []
    assert await names("role:viewer state:enabled") == ["bob"]
    assert await names("-state:enabled") == ["alice"]
    assert await names("liddell") == ["alice"]
    with pytest.raises(Invalid, match="state"):
        await names("state:asleep")
