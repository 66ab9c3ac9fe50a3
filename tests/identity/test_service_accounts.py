"""Service accounts, their keys, rotation with overlap; sessions as whoever manages them sees them."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from conftest import SteeredClock
from controlroom.audit.models import AuditEntry
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from controlroom.foundation.paging import PageRequest
from controlroom.identity.caller import Caller
from controlroom.identity.models import User, UserKind
from controlroom.identity.permissions import Permission
from controlroom.identity.places import BotAt, PlaceKind
from controlroom.identity.service import IdentityService
from controlroom.identity.sessions import Origin, SignedIn

P = Permission
PASSWORD = "lamps over quiet rivers"
MONTH = timedelta(days=30)


async def service_account(identity: IdentityService, console: Caller, *roles: str) -> User:
    made = await identity.accounts.create(console, name="ci-server", roles=roles, kind=UserKind.SERVICE)
    assert made.generated is None
    return made.user


async def by_key(identity: IdentityService, secret: str) -> Caller | None:
    found = await identity.authentication.by_api_key(secret)
    return found.caller(address="192.0.2.9", request_id="r") if found else None


async def sign_in(identity: IdentityService, name: str) -> SignedIn:
    opened = await identity.local.sign_in(
        name=name, password=PASSWORD, origin=Origin("192.0.2.7", "a browser")
    )
    assert isinstance(opened, SignedIn)
    return opened


async def test_a_service_account_has_keys_and_no_password(identity: IdentityService, console: Caller) -> None:
    account = await service_account(identity, console, "bot_author")
    assert (account.password_hash, account.kind) == (None, UserKind.SERVICE)
    with pytest.raises(Conflict, match="no password"):
        await identity.accounts.reset_password(console, account.id)
    with pytest.raises(Invalid, match="no password"):
        await identity.accounts.create(
            console, name="other", roles=[], kind=UserKind.SERVICE, password=PASSWORD
        )
    listed = await identity.accounts.page(PageRequest(filter="kind:service"))
    assert [user.name for user in listed.items] == ["ci-server"]


async def test_its_keys_never_have_more_than_it_has_at_this_moment(
    identity: IdentityService, console: Caller, clock: SteeredClock
) -> None:
    account = await service_account(identity, console, "bot_author")
    until = clock.now() + MONTH
    with pytest.raises(Invalid, match=r"user\.manage"):
        await identity.api_keys.create(
            console, name="k", permissions=[P.USER_MANAGE], expires_at=until, user_id=account.id
        )
    made = await identity.api_keys.create(
        console, name="k", permissions=[P.BOT_PUBLISH, P.RUN_READ], expires_at=until, user_id=account.id
    )
    caller = await by_key(identity, made.secret)
    assert caller is not None
    assert caller.permissions == {P.BOT_PUBLISH, P.RUN_READ}
    await identity.accounts.edit(console, account.id, roles=[])
    await identity.assignments.give(
        console, user="ci-server", role="bot_author", kind=PlaceKind.FOLDER, place="/finance"
    )
    caller = await by_key(identity, made.secret)
    assert caller is not None
    assert caller.may(P.BOT_PUBLISH, BotAt("b", "/finance"))
    assert not caller.may(P.BOT_PUBLISH, BotAt("b", "/sales"))
    await identity.accounts.disable(console, account.id)
    assert await by_key(identity, made.secret) is None


async def test_keys_are_made_for_service_accounts_only_and_by_who_has_their_rights(
    identity: IdentityService, console: Caller, clock: SteeredClock
) -> None:
    until = clock.now() + MONTH
    account = await service_account(identity, console, "operator")
    person = (await identity.accounts.create(console, name="anna", roles=["viewer"], password=PASSWORD)).user
    with pytest.raises(Conflict, match="People make their own keys"):
        await identity.api_keys.create(
            console, name="k", permissions=[P.RUN_READ], expires_at=until, user_id=person.id
        )
    clerk = Caller(
        console.actor, "usr_clerk", "clerk", frozenset({P.USER_READ, P.USER_MANAGE}), session_id="ses_1"
    )
    with pytest.raises(Forbidden):
        await identity.api_keys.create(
            clerk, name="k", permissions=[P.RUN_READ], expires_at=until, user_id=account.id
        )


async def test_a_key_is_rotated_with_an_overlap(
    identity: IdentityService, console: Caller, clock: SteeredClock, database: Database
) -> None:
    account = await service_account(identity, console, "bot_author")
    old = await identity.api_keys.create(
        console, name="deploy", permissions=[P.RUN_READ], expires_at=clock.now() + MONTH, user_id=account.id
    )
    itself = await by_key(identity, old.secret)
    assert itself is not None
    new = await identity.api_keys.rotate(
        itself, old.key.id, expires_at=clock.now() + 2 * MONTH, overlap=timedelta(hours=24)
    )
    assert (new.key.name, new.key.permissions, new.key.rotated_from_id) == (
        "deploy",
        ["run.read"],
        old.key.id,
    )
    assert await by_key(identity, old.secret)
    assert await by_key(identity, new.secret)
    clock.advance(24 * 3600 + 1)
    assert await by_key(identity, old.secret) is None
    assert await by_key(identity, new.secret)
    with pytest.raises(Conflict, match="no longer counts"):
        await identity.api_keys.rotate(
            console, old.key.id, expires_at=clock.now() + MONTH, overlap=timedelta(0)
        )
    async with database.read() as session:
        entry = await session.scalar(select(AuditEntry).where(AuditEntry.action == "api_key.rotated"))
    assert entry is not None
    assert new.secret not in str(entry.detail)


async def test_no_key_rotates_another_that_may_have_more_rights(
    identity: IdentityService, console: Caller, clock: SteeredClock
) -> None:
    account = await service_account(identity, console, "administrator")
    until = clock.now() + MONTH
    strong = await identity.api_keys.create(
        console, name="strong", permissions=[P.USER_MANAGE], expires_at=until, user_id=account.id
    )
    weak = await identity.api_keys.create(
        console, name="weak", permissions=[P.OWN_ACCOUNT], expires_at=until, user_id=account.id
    )
    caller = await by_key(identity, weak.secret)
    assert caller is not None
    with pytest.raises(Conflict, match="only itself"):
        await identity.api_keys.rotate(caller, strong.key.id, expires_at=until, overlap=timedelta(0))
    with pytest.raises(Conflict, match="cannot make another"):
        await identity.api_keys.create(
            caller, name="k", permissions=[P.OWN_ACCOUNT], expires_at=until, user_id=account.id
        )


async def test_who_manages_sessions_sees_and_ends_anyones(
    identity: IdentityService, console: Caller, database: Database
) -> None:
    for name in ("anna", "bob"):
        await identity.accounts.create(console, name=name, roles=["viewer"], password=PASSWORD)
    first, second, bobs = [await sign_in(identity, name) for name in ("anna", "anna", "bob")]
    listed = (await identity.sessions.page(console, PageRequest())).items
    assert sorted(each.user_name for each in listed) == ["anna", "anna", "bob"]
    filtered = (await identity.sessions.page(console, PageRequest(filter="user:bob"))).items
    assert [each.session.id for each in filtered] == [bobs.session.id]
    await identity.sessions.end_anyones(console, first.session.id)
    assert await identity.authentication.by_session(first.token) is None
    with pytest.raises(NotFound):
        await identity.sessions.end_anyones(console, first.session.id)
    assert await identity.sessions.end_all_of(console, second.user.id) == 1
    assert await identity.authentication.by_session(second.token) is None
    assert await identity.authentication.by_session(bobs.token)
    async with database.read() as session:
        ended = (await session.scalars(select(AuditEntry).where(AuditEntry.action == "session.ended"))).all()
    assert [entry.target_name for entry in ended] == ["anna", "anna"]


async def test_others_sessions_are_nobody_elses_business(identity: IdentityService, console: Caller) -> None:
    await identity.accounts.create(console, name="anna", roles=["operator"], password=PASSWORD)
    opened = await sign_in(identity, "anna")
    found = await identity.authentication.by_session(opened.token)
    assert found is not None
    operator = found.caller(address="", request_id="")
    for attempt in (
        identity.sessions.page(operator, PageRequest()),
        identity.sessions.end_anyones(operator, opened.session.id),
        identity.sessions.end_all_of(operator, opened.user.id),
    ):
        with pytest.raises(Forbidden):
            await attempt
