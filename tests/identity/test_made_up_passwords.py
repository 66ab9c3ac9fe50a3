"""A password that was made up for someone opens one door only: to a password of their own."""

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select

from conftest import SteeredClock
from controlroom.audit.models import AuditEntry
from controlroom.foundation.database import Database
from controlroom.identity.caller import Caller
from controlroom.identity.errors import WrongCredentials
from controlroom.identity.providers.local import MADE_UP_COUNTS
from controlroom.identity.roles import RoleEdit
from controlroom.identity.service import IdentityService
from controlroom.identity.sessions import Origin

OWN = "lamps over quiet rivers"
HERE = Origin("192.0.2.7", "Firefox", "req_1")
Browsers = Callable[[], httpx.AsyncClient]


def unchecked(_revision: int) -> None:
    pass


async def made_up(identity: IdentityService, console: Caller, name: str = "alice", *roles: str) -> str:
    given = await identity.accounts.create(console, name=name, roles=roles or ["administrator"])
    assert given.generated
    return given.generated


async def enter(browser: httpx.AsyncClient, password: str) -> dict[str, str]:
    answer = await browser.post("/api/v1/session", json={"name": "alice", "password": password})
    assert answer.status_code == 201
    browser.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return dict(answer.json())


async def test_until_it_is_changed_nothing_else_is_open(
    identity: IdentityService, console: Caller, browsers: Browsers
) -> None:
    password, browser = await made_up(identity, console), browsers()
    signed_in = await enter(browser, password)
    assert (signed_in["must_change_password"], signed_in["permissions"]) == (True, [])
    assert (await browser.get("/api/v1/session")).json()["must_change_password"] is True
    tried = [
        await browser.get("/api/v1/users"),
        await browser.post("/api/v1/users", json={"name": "eve"}),
        await browser.get("/api/v1/me/second-factors"),
        await browser.post(
            "/api/v1/api-keys", json={"name": "k", "permissions": [], "expires_at": "2026-06-01T00:00:00Z"}
        ),
        await browser.patch("/api/v1/me", json={"time_zone": "Europe/Berlin"}),
    ]
    assert {(each.status_code, each.json()["code"]) for each in tried} == {(403, "password_change_needed")}
    same = {"current_password": password, "new_password": password}
    assert (await browser.put("/api/v1/me/password", json=same)).status_code == 422
    change = {"current_password": password, "new_password": OWN}
    assert (await browser.put("/api/v1/me/password", json=change)).status_code == 204
    assert (await browser.get("/api/v1/users")).status_code == 200
    assert (await enter(browsers(), OWN))["must_change_password"] is False


async def test_one_may_sign_out_instead(
    identity: IdentityService, console: Caller, browsers: Browsers
) -> None:
    browser = browsers()
    await enter(browser, await made_up(identity, console))
    assert (await browser.delete("/api/v1/session")).status_code == 204


async def test_a_reset_makes_one_choose_anew_and_a_password_that_was_typed_does_not(
    identity: IdentityService, console: Caller, browsers: Browsers
) -> None:
    user = (await identity.accounts.create(console, name="alice", roles=["viewer"], password=OWN)).user
    assert (await enter(browsers(), OWN))["must_change_password"] is False
    given = await identity.accounts.reset_password(console, user.id)
    assert given.generated
    assert (await enter(browsers(), given.generated))["must_change_password"] is True
    await identity.accounts.reset_password(console, user.id, OWN)
    assert (await enter(browsers(), OWN))["must_change_password"] is False


async def test_one_that_is_not_changed_in_time_opens_nothing(
    identity: IdentityService, console: Caller, clock: SteeredClock, database: Database
) -> None:
    password = await made_up(identity, console)
    clock.advance(MADE_UP_COUNTS.total_seconds())
    await identity.local.sign_in(name="alice", password=password, origin=HERE)
    clock.advance(timedelta(seconds=1).total_seconds())
    with pytest.raises(WrongCredentials, match="ask for a new one"):
        await identity.local.sign_in(name="alice", password=password, origin=HERE)
    with pytest.raises(WrongCredentials, match="is not right"):
        await identity.local.sign_in(name="alice", password="something else", origin=HERE)
    async with database.read() as session:
        refused = select(AuditEntry.detail).where(AuditEntry.action == "session.refused")
        assert [each["reason"] for each in await session.scalars(refused.order_by(AuditEntry.number))] == [
            "not_changed_in_time", "wrong_password",
        ]  # fmt: skip


async def test_the_password_comes_before_the_second_factor(
    identity: IdentityService, console: Caller, browsers: Browsers
) -> None:
    password = await made_up(identity, console, "alice", "operator")
    await identity.roles.edit(
        console, "operator", RoleEdit(requires_second_factor=True), check_revision=unchecked
    )
    browser = browsers()
    await enter(browser, password)
    assert (await browser.get("/api/v1/me/second-factors")).json()["code"] == "password_change_needed"
    change = {"current_password": password, "new_password": OWN}
    assert (await browser.put("/api/v1/me/password", json=change)).status_code == 204
    assert (await browser.get("/api/v1/me/second-factors")).status_code == 200
    assert (await browser.get("/api/v1/runs-or-users")).status_code == 404
    assert (await browser.get("/api/v1/users")).json()["code"] == "second_factor_needed"


async def test_keys_made_before_a_reset_count_on_and_change_no_password(
    identity: IdentityService, console: Caller, browsers: Browsers
) -> None:
    password, browser = await made_up(identity, console), browsers()
    await enter(browser, password)
    await browser.put("/api/v1/me/password", json={"current_password": password, "new_password": OWN})
    key = await browser.post(
        "/api/v1/api-keys",
        json={"name": "k", "permissions": ["user.read"], "expires_at": "2026-06-01T00:00:00Z"},
    )
    program = browsers()
    program.headers["Authorization"] = f"Bearer {key.json()['secret']}"
    user = await identity.accounts.by_name("alice")
    await identity.accounts.reset_password(console, user.id)
    assert (await program.get("/api/v1/users")).status_code == 200
    change = {"current_password": OWN, "new_password": "another one of mine"}
    assert (await program.put("/api/v1/me/password", json=change)).status_code == 403
