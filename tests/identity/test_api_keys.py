from datetime import timedelta

import pytest
from sqlalchemy import select

from controlroom.audit.actor import ActorKind
from controlroom.audit.models import AuditEntry
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from controlroom.foundation.paging import PageRequest
from controlroom.identity import api_keys
from controlroom.identity.api_keys import LONGEST_LIFE, NewApiKey
from controlroom.identity.caller import Caller
from controlroom.identity.models import ApiKey
from controlroom.identity.permissions import Permission
from controlroom.identity.service import IdentityService
from controlroom.identity.sessions import Origin

PASSWORD = "lamps over quiet rivers"
RIGHTS = [Permission.RUN_READ, Permission.RUN_REQUEST]


async def signed_in(identity: IdentityService, console: Caller, name: str, role: str) -> Caller:
    await identity.accounts.create(console, name=name, roles=[role], password=PASSWORD)
    opened = await identity.local.sign_in(name=name, password=PASSWORD, origin=Origin("192.0.2.7"))
    found = await identity.authentication.by_session(opened.token)
    assert found is not None
    return found.caller(address="192.0.2.7", request_id="")


@pytest.fixture
async def alice(identity: IdentityService, console: Caller) -> Caller:
    return await signed_in(identity, console, "alice", "operator")


async def make(
    identity: IdentityService, caller: Caller, clock, rights=RIGHTS, life=timedelta(days=30)
) -> NewApiKey:  # type: ignore[no-untyped-def]
    return await identity.api_keys.create(
        caller, name=" nightly ", permissions=rights, expires_at=clock.now() + life
    )


async def test_a_key_acts_for_its_user_with_the_rights_it_was_given(
    identity: IdentityService, database: Database, alice: Caller, clock
) -> None:  # type: ignore[no-untyped-def]
    made = await make(identity, alice, clock)
    assert made.secret.startswith("crk_")
    assert made.secret.endswith(made.key.hint)
    found = await identity.authentication.by_api_key(made.secret)
    assert found is not None
    caller = found.caller(address="192.0.2.9", request_id="req_3")
    assert caller.permissions == set(RIGHTS)
    assert (caller.user_id, caller.api_key_id, caller.session_id) == (alice.user_id, made.key.id, None)
    assert (caller.actor.kind, caller.actor.name) == (ActorKind.API_KEY, "alice (nightly)")
    async with database.read() as session:
        kept = (await session.scalars(select(ApiKey))).one()
        details = str((await session.scalars(select(AuditEntry.detail))).all())
    assert made.secret not in f"{vars(kept)}{details}"


async def test_a_key_never_has_more_rights_than_its_user_has_at_that_moment(
    identity: IdentityService, console: Caller, alice: Caller, clock
) -> None:  # type: ignore[no-untyped-def]
    made = await make(identity, alice, clock)
    assert await identity.authentication.by_api_key(made.secret)
    await identity.accounts.edit(console, alice.user_id, roles=["viewer"])
    found = await identity.authentication.by_api_key(made.secret)
    assert found is not None
    assert found.permissions == {Permission.RUN_READ}
    await identity.accounts.disable(console, alice.user_id)
    assert await identity.authentication.by_api_key(made.secret) is None


async def test_a_key_ends_when_it_expires_and_when_it_is_revoked(
    identity: IdentityService, alice: Caller, clock
) -> None:  # type: ignore[no-untyped-def]
    short, long = (
        await make(identity, alice, clock, life=timedelta(hours=1)),
        await make(identity, alice, clock),
    )
    assert await identity.authentication.by_api_key(short.secret)
    clock.advance(3600)
    assert await identity.authentication.by_api_key(short.secret) is None
    assert await identity.authentication.by_api_key(long.secret)
    await identity.api_keys.revoke(alice, long.key.id)
    await identity.api_keys.revoke(alice, long.key.id)
    assert await identity.authentication.by_api_key(long.secret) is None


async def test_each_change_leaves_one_entry(
    identity: IdentityService, database: Database, alice: Caller, clock
) -> None:  # type: ignore[no-untyped-def]
    made = await make(identity, alice, clock)
    await identity.api_keys.revoke(alice, made.key.id)
    await identity.api_keys.revoke(alice, made.key.id)
    async with database.read() as session:
        query = select(AuditEntry).where(AuditEntry.target_id == made.key.id).order_by(AuditEntry.number)
        entries = (await session.scalars(query)).all()
    assert [entry.action for entry in entries] == ["api_key.created", "api_key.revoked"]
    assert entries[0].detail["permissions"] == ["run.read", "run.request"]


async def test_a_key_that_cannot_stand_is_refused(identity: IdentityService, alice: Caller, clock) -> None:  # type: ignore[no-untyped-def]
    for rights, life, pointer in (
        ([], timedelta(days=1), "/permissions"),
        ([Permission.RUN_READ, Permission.USER_MANAGE], timedelta(days=1), "/permissions"),
        (RIGHTS, timedelta(0), "/expires_at"),
        (RIGHTS, timedelta(days=-1), "/expires_at"),
        (RIGHTS, LONGEST_LIFE + timedelta(seconds=1), "/expires_at"),
    ):
        with pytest.raises(Invalid) as refused:
            await make(identity, alice, clock, rights, life)
        assert refused.value.fields[0].pointer == pointer


async def test_a_key_cannot_make_another_that_would_outlive_it(
    identity: IdentityService, alice: Caller, clock
) -> None:  # type: ignore[no-untyped-def]
    made = await make(identity, alice, clock, [Permission.OWN_ACCOUNT], timedelta(minutes=1))
    found = await identity.authentication.by_api_key(made.secret)
    assert found is not None
    with pytest.raises(Conflict):
        await make(identity, found.caller(address="", request_id=""), clock, [Permission.OWN_ACCOUNT])


async def test_a_user_has_no_endless_number_of_keys(
    identity: IdentityService, alice: Caller, clock, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(api_keys, "MOST_LIVE_KEYS", 1)
    made = await make(identity, alice, clock)
    with pytest.raises(Conflict):
        await make(identity, alice, clock)
    await identity.api_keys.revoke(alice, made.key.id)
    await make(identity, alice, clock)


async def test_keys_of_others_are_seen_and_revoked_only_by_who_may(
    identity: IdentityService, console: Caller, alice: Caller, clock
) -> None:  # type: ignore[no-untyped-def]
    made = await make(identity, alice, clock)
    bob = await signed_in(identity, console, "bob", "operator")
    auditor = await signed_in(identity, console, "audrey", "auditor")
    root = await signed_in(identity, console, "root", "administrator")
    roots = await make(identity, root, clock)

    assert (await identity.api_keys.page(bob, PageRequest())).items == []
    with pytest.raises(Forbidden):
        await identity.api_keys.page(bob, PageRequest(), everyones=True)
    for act in (identity.api_keys.get(bob, made.key.id), identity.api_keys.revoke(bob, made.key.id)):
        with pytest.raises(NotFound):
            await act
    seen = await identity.api_keys.page(auditor, PageRequest(filter="user:alice"), everyones=True)
    assert [key.id for key in seen.items] == [made.key.id]
    with pytest.raises(Forbidden):
        await identity.api_keys.revoke(auditor, made.key.id)
    with pytest.raises(NotFound):
        await identity.api_keys.get(auditor, "\0")
    await identity.api_keys.revoke(root, made.key.id)
    assert await identity.authentication.by_api_key(made.secret) is None
    assert await identity.authentication.by_api_key(roots.secret)
