import asyncio

import argon2
import pytest
from argon2.low_level import Type
from sqlalchemy import select, update

from controlroom.audit.models import AuditEntry, AuditOutcome
from controlroom.foundation.cache.memory import MemoryCache
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Conflict, Invalid, NotFound, TooManyRequests
from controlroom.foundation.settings import Settings
from controlroom.identity import live_sessions
from controlroom.identity.authentication import REMEMBERED_SECONDS
from controlroom.identity.caller import Caller
from controlroom.identity.errors import WeakPassword, WrongCredentials
from controlroom.identity.models import Session, User
from controlroom.identity.service import IdentityService
from controlroom.identity.sessions import Origin, SignedIn
from controlroom.identity.throttle import FREE_PER_ACCOUNT_AND_NETWORK

PASSWORD = "lamps over quiet rivers"
OTHER_PASSWORD = "rivers under loud lamps"
HERE = Origin("192.0.2.7", "Firefox", "req_1")


@pytest.fixture
async def alice(identity: IdentityService, console: Caller) -> User:
    given = await identity.accounts.create(console, name="alice", roles=["operator"], password=PASSWORD)
    return given.user


async def sign_in(
    identity: IdentityService, password: str = PASSWORD, replaces: str | None = None
) -> SignedIn:
    return await identity.local.sign_in(name="Alice", password=password, origin=HERE, replaces=replaces)


async def caller_of(identity: IdentityService, token: str) -> Caller:
    found = await identity.authentication.by_session(token)
    assert found is not None
    return found.caller(address="192.0.2.7", request_id="req_2")


async def newest_entry(database: Database) -> AuditEntry:
    async with database.read() as session:
        query = select(AuditEntry).order_by(AuditEntry.number.desc()).limit(1)
        return (await session.scalars(query)).one()


async def test_signing_in_opens_a_session_that_the_database_cannot_give_away(
    identity: IdentityService, database: Database, alice: User
) -> None:
    signed_in = await sign_in(identity)
    caller = await caller_of(identity, signed_in.token)
    assert (caller.user_id, caller.session_id) == (alice.id, signed_in.session.id)
    assert caller.csrf_token == signed_in.session.csrf_token
    assert caller.csrf_token not in repr(caller)
    async with database.read() as session:
        row = (await session.scalars(select(Session))).one()
    assert signed_in.token not in (row.id, row.token_hash, row.csrf_token)
    entry = await newest_entry(database)
    assert (entry.action, entry.actor_id, entry.address, entry.request_id) == (
        "session.started", alice.id, "192.0.2.7", "req_1",
    )  # fmt: skip


async def test_a_refused_sign_in_is_written_down_but_not_what_was_typed(
    identity: IdentityService, database: Database, alice: User
) -> None:
    for name, password, reason, target in (
        ("alice", "not her password", "wrong_password", "alice"),
        ("hunter2-typed-into-the-name", PASSWORD, "unknown_name", ""),
        ("alice\0", PASSWORD, "unknown_name", ""),
    ):
        with pytest.raises(WrongCredentials) as refused:
            await identity.local.sign_in(name=name, password=password, origin=HERE)
        assert refused.value.detail == "The name or the password is not right."
        entry = await newest_entry(database)
        assert (entry.action, entry.outcome) == ("session.refused", AuditOutcome.REFUSED)
        assert (entry.target_name, entry.detail) == (target, {"reason": reason})
        assert name == "alice" or name not in str(vars(entry))


async def test_entries_of_refused_sign_ins_are_bounded_by_the_throttle(
    identity: IdentityService, database: Database, alice: User
) -> None:
    outcomes = []
    for _ in range(FREE_PER_ACCOUNT_AND_NETWORK * 3):
        with pytest.raises((WrongCredentials, TooManyRequests)) as refused:
            await sign_in(identity, "not her password")
        outcomes.append(refused.type)
    assert outcomes[-1] is TooManyRequests
    async with database.read() as session:
        refusals = (
            await session.scalars(select(AuditEntry).where(AuditEntry.action == "session.refused"))
        ).all()
    assert len(refusals) == outcomes.count(WrongCredentials) == FREE_PER_ACCOUNT_AND_NETWORK + 1


async def test_each_sign_in_has_a_session_of_its_own_and_ends_the_one_before(
    identity: IdentityService, alice: User
) -> None:
    first = await sign_in(identity)
    assert await identity.authentication.by_session(first.token)
    second = await sign_in(identity, replaces=first.token)
    assert second.session.id != first.session.id
    assert second.session.csrf_token != first.session.csrf_token
    assert await identity.authentication.by_session(first.token) is None
    assert await identity.authentication.by_session(second.token)


async def test_a_session_ends_when_it_is_not_used(identity: IdentityService, alice: User, clock) -> None:  # type: ignore[no-untyped-def]
    signed_in = await sign_in(identity)
    for _ in range(3):
        clock.advance(50 * 60)
        assert await identity.authentication.by_session(signed_in.token)
        await identity.authentication.by_session(signed_in.token)
    clock.advance(61 * 60)
    assert await identity.authentication.by_session(signed_in.token) is None


async def test_a_session_ends_in_any_case_after_its_longest_life(
    identity: IdentityService, alice: User, clock
) -> None:  # type: ignore[no-untyped-def]
    signed_in = await sign_in(identity)
    for _ in range(12 * 2 - 1):
        clock.advance(30 * 60)
        assert await identity.authentication.by_session(signed_in.token)
    clock.advance(30 * 60)
    assert await identity.authentication.by_session(signed_in.token) is None


async def test_use_is_written_down_once_a_minute(
    identity: IdentityService, database: Database, alice: User, clock
) -> None:  # type: ignore[no-untyped-def]
    signed_in = await sign_in(identity)

    async def used_at() -> float:
        await identity.usage.settle()
        async with database.read() as session:
            row = (await session.scalars(select(Session))).one()
        return row.used_at.timestamp() - row.created_at.timestamp()

    seen = []
    for seconds in (70, 30, 20, 20):
        clock.advance(seconds)
        await identity.authentication.by_session(signed_in.token)
        seen.append(await used_at())
    assert seen == [70, 70, 70, 140]


async def test_a_change_elsewhere_counts_here_within_seconds(
    identity: IdentityService, database: Database, alice: User, clock
) -> None:  # type: ignore[no-untyped-def]
    signed_in = await sign_in(identity)
    assert await identity.authentication.by_session(signed_in.token)
    async with database.write() as transaction:
        await transaction.session.execute(update(Session).values(ended_at=clock.now()))
    clock.advance(REMEMBERED_SECONDS)
    assert await identity.authentication.by_session(signed_in.token) is None


async def test_many_requests_cost_one_query(
    identity: IdentityService, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in = await sign_in(identity)
    await identity.authentication.by_session(signed_in.token)
    await identity.usage.settle()

    def refuse(*_: object) -> None:
        raise AssertionError("asked the database again")

    monkeypatch.setattr(Database, "read", refuse)
    monkeypatch.setattr(Database, "write", refuse)
    for _ in range(100):
        assert await identity.authentication.by_session(signed_in.token)


async def test_what_was_read_before_a_change_is_not_remembered_after_it(
    identity: IdentityService, alice: User, console: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in = await sign_in(identity)
    read = identity.authentication._read_session
    was_read, may_go_on = asyncio.Event(), asyncio.Event()

    async def slow_read(token_hash: str):  # type: ignore[no-untyped-def]
        found = await read(token_hash)
        was_read.set()
        await may_go_on.wait()
        return found

    monkeypatch.setattr(identity.authentication, "_read_session", slow_read)
    asked = asyncio.create_task(identity.authentication.by_session(signed_in.token))
    await asyncio.wait_for(was_read.wait(), 10)
    await identity.accounts.disable(console, alice.id)
    may_go_on.set()
    await asyncio.wait_for(asked, 10)
    assert await identity.authentication.by_session(signed_in.token) is None


async def test_signing_out_ends_one_session_and_twice_is_no_error(
    identity: IdentityService, alice: User
) -> None:
    first, second = await sign_in(identity), await sign_in(identity)
    caller = await caller_of(identity, first.token)
    await identity.sessions.sign_out(caller)
    await identity.sessions.sign_out(caller)
    assert await identity.authentication.by_session(first.token) is None
    assert await identity.authentication.by_session(second.token)


async def test_one_sees_and_ends_ones_own_sessions_only(
    identity: IdentityService, alice: User, console: Caller
) -> None:
    await identity.accounts.create(console, name="bob", roles=["viewer"], password=PASSWORD)
    bobs = await identity.local.sign_in(name="bob", password=PASSWORD, origin=HERE)
    first, second, third = [await sign_in(identity) for _ in range(3)]
    caller = await caller_of(identity, first.token)
    assert {session.id for session in await identity.sessions.live(alice.id)} == {
        first.session.id, second.session.id, third.session.id,
    }  # fmt: skip
    for foreign in (bobs.session.id, "ses_01jdq3v0t8k2w9c5m7x4n6p1ha", "\0"):
        with pytest.raises(NotFound):
            await identity.sessions.end(caller, foreign)
    await identity.sessions.end(caller, second.session.id)
    assert await identity.sessions.end_others(caller) == 1
    assert [session.id for session in await identity.sessions.live(alice.id)] == [first.session.id]
    assert await identity.authentication.by_session(bobs.token)


async def test_a_user_has_no_endless_number_of_sessions(
    identity: IdentityService, alice: User, clock, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(live_sessions, "MOST_LIVE_SESSIONS", 3)
    opened = []
    for _ in range(5):
        opened.append(await sign_in(identity))
        clock.advance(1)
    live = {session.id for session in await identity.sessions.live(alice.id)}
    assert live == {signed_in.session.id for signed_in in opened[2:]}


async def test_sessions_that_ended_long_ago_are_forgotten(
    identity: IdentityService, database: Database, alice: User, clock
) -> None:  # type: ignore[no-untyped-def]
    await sign_in(identity)
    clock.advance(32 * 86_400)
    kept = await sign_in(identity)
    async with database.read() as session:
        assert list(await session.scalars(select(Session.id))) == [kept.session.id]


async def test_a_changed_password_ends_the_other_sessions(
    identity: IdentityService, database: Database, alice: User
) -> None:
    mine, other = await sign_in(identity), await sign_in(identity)
    caller = await caller_of(identity, mine.token)
    renewed = await identity.local.change_password(caller, current=PASSWORD, new=OTHER_PASSWORD)
    entry = await newest_entry(database)
    assert (entry.action, entry.detail) == ("user.password_changed", {"sessions_ended": 1})
    found = await identity.authentication.by_session(renewed)
    assert found is not None
    assert found.session_id == caller.session_id
    assert await identity.authentication.by_session(mine.token) is None
    assert await identity.authentication.by_session(other.token) is None
    with pytest.raises(WrongCredentials):
        await sign_in(identity)
    await sign_in(identity, OTHER_PASSWORD)


async def test_a_new_password_needs_the_present_one_and_must_be_new_and_strong(
    identity: IdentityService, alice: User
) -> None:
    caller = await caller_of(identity, (await sign_in(identity)).token)
    with pytest.raises(Invalid) as refused:
        await identity.local.change_password(caller, current="not her password", new=OTHER_PASSWORD)
    assert refused.value.fields[0].pointer == "/current_password"
    with pytest.raises(Invalid) as refused:
        await identity.local.change_password(caller, current=PASSWORD, new=PASSWORD)
    assert refused.value.fields[0].pointer == "/new_password"
    with pytest.raises(WeakPassword):
        await identity.local.change_password(caller, current=PASSWORD, new="password1234")
    await sign_in(identity)


async def test_the_present_password_cannot_be_guessed_through_a_stolen_session(
    identity: IdentityService, alice: User
) -> None:
    caller = await caller_of(identity, (await sign_in(identity)).token)
    refusals = []
    for _ in range(FREE_PER_ACCOUNT_AND_NETWORK + 2):
        with pytest.raises((Invalid, TooManyRequests)) as refused:
            await identity.local.change_password(caller, current="a guess at it", new=OTHER_PASSWORD)
        refusals.append(refused.type)
    assert refusals[-1] is TooManyRequests


async def test_an_api_key_cannot_change_the_password(identity: IdentityService, console: Caller) -> None:
    with pytest.raises(Conflict):
        await identity.local.change_password(console, current=PASSWORD, new=OTHER_PASSWORD)


async def test_a_hash_with_old_parameters_is_made_anew_when_its_owner_signs_in(
    identity: IdentityService, database: Database, clock: Clock, settings: Settings, alice: User
) -> None:
    stronger = argon2.Parameters(
        type=Type.ID, version=19, salt_len=16, hash_len=32, time_cost=2, memory_cost=16, parallelism=1
    )
    later = IdentityService(database, MemoryCache(clock), clock, settings, hash_parameters=stronger)
    await sign_in(later)
    await sign_in(later)
    async with database.read() as session:
        kept = await session.scalar(select(User.password_hash))
    assert kept is not None
    assert argon2.extract_parameters(kept) == stronger
    await later.close()


async def test_a_token_that_is_none_belongs_to_nobody(identity: IdentityService) -> None:
    for token in ("", "crs_", "x" * 10_000, "\ud7ff\0", "crk_", "crk_" + "x" * 10_000):
        assert await identity.authentication.by_session(token) is None
        assert await identity.authentication.by_api_key(token) is None
