"""The routes, over HTTP, on both databases."""

from collections.abc import Callable

import httpx
import pytest
from sqlalchemy import select

from controlroom.audit.models import AuditEntry
from controlroom.foundation.database import Database
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.service import IdentityService

PASSWORD = "lamps over quiet rivers"
OTHER_PASSWORD = "rivers under loud lamps"
Browsers = Callable[[], httpx.AsyncClient]


async def enter(client: httpx.AsyncClient, name: str, password: str = PASSWORD) -> httpx.AsyncClient:
    answer = await client.post("/api/v1/session", json={"name": name, "password": password})
    assert answer.status_code == 201, answer.text
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return client


@pytest.fixture
async def admin(browsers: Browsers, identity: IdentityService, console: Caller) -> httpx.AsyncClient:
    await identity.accounts.create(console, name="root", roles=["administrator"], password=PASSWORD)
    return await enter(browsers(), "root")


async def test_sign_in_look_around_sign_out(admin: httpx.AsyncClient) -> None:
    me = (await admin.get("/api/v1/session")).json()
    assert (me["name"], set(me["permissions"])) == ("root", {right.value for right in Permission})
    assert me["csrf_token"] == admin.headers["X-CSRF-Token"]
    answer = await admin.delete("/api/v1/session")
    assert answer.status_code == 204
    assert 'controlroom_session=""' in answer.headers["set-cookie"]
    assert (await admin.get("/api/v1/session")).status_code == 401


async def test_a_wrong_password_is_401_and_too_many_are_429(
    browsers: Browsers, admin: httpx.AsyncClient
) -> None:
    client = browsers()
    statuses = [
        (await client.post("/api/v1/session", json={"name": "root", "password": "wrong"})).status_code
        for _ in range(8)
    ]
    assert statuses == [401] * 6 + [429] * 2
    assert not client.cookies


async def test_signing_in_replaces_the_session_in_the_browser(
    admin: httpx.AsyncClient, browsers: Browsers
) -> None:
    old = dict(admin.cookies)
    await enter(admin, "root")
    assert dict(admin.cookies) != old
    stale = browsers()
    stale.cookies.update(old)
    assert (await stale.get("/api/v1/session")).status_code == 401


async def test_a_user_from_creation_to_disabling(admin: httpx.AsyncClient, browsers: Browsers) -> None:
    made = await admin.post("/api/v1/users", json={"name": "Alice", "roles": ["operator"]})
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    user, generated = made.json()["user"], made.json()["generated_password"]
    address = made.headers["location"]
    assert (user["name"], user["is_enabled"], "password_hash" in user) == ("alice", True, False)
    alice = await enter(browsers(), "alice", generated)
    change = {"current_password": generated, "new_password": PASSWORD}
    assert (await alice.put("/api/v1/me/password", json=change)).status_code == 204

    read = await admin.get(address)
    assert read.json() == {**user, "revision": user["revision"] + 1}, "the new password counts as a change"
    changes = {"display_name": "Alice Liddell", "roles": ["viewer"]}
    assert (await admin.patch(address, json=changes)).status_code == 428
    assert (await admin.patch(address, json=changes, headers={"If-Match": '"7"'})).status_code == 412
    edited = await admin.patch(address, json=changes, headers={"If-Match": read.headers["etag"]})
    assert (edited.status_code, edited.json()["roles"]) == (200, ["viewer"])
    assert edited.headers["etag"] != read.headers["etag"]
    assert "run.request" not in (await alice.get("/api/v1/session")).json()["permissions"]

    assert (await admin.post(f"{address}/disable")).json()["is_enabled"] is False
    assert (await alice.get("/api/v1/session")).status_code == 401
    assert (await admin.post(f"{address}/enable")).json()["is_enabled"] is True
    reset = await admin.post(f"{address}/reset-password", json={"password": OTHER_PASSWORD})
    assert (reset.status_code, reset.json()["generated_password"]) == (200, None)
    await enter(alice, "alice", OTHER_PASSWORD)


async def test_users_are_listed_in_pages(
    admin: httpx.AsyncClient, identity: IdentityService, console: Caller
) -> None:
    for name in ("carol", "alice", "bob"):
        await identity.accounts.create(console, name=name, roles=["viewer"], password=PASSWORD)
    seen: list[str] = []
    cursor = ""
    while True:
        query = {"limit": 2, "sort": "name", "cursor": cursor}
        page = (await admin.get("/api/v1/users", params=query)).json()
        seen += [user["name"] for user in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["alice", "bob", "carol", "root"]


async def test_what_does_not_fit_is_422_and_names_the_place(admin: httpx.AsyncClient) -> None:
    for body, pointer in (
        ({"name": "al ice", "roles": ["viewer"]}, "/name"),
        ({"name": "alice", "roles": ["king"]}, "/roles/0"),
        ({"name": "alice", "roles": ["viewer"], "password": "password1234"}, "/password"),
        ({"name": "alice", "roles": ["viewer"], "display_name": "A\0"}, "/display_name"),
    ):
        answer = await admin.post("/api/v1/users", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert (await admin.post("/api/v1/users", json={"name": "a", "roles": [], "x": 1})).status_code == 422
    assert (await admin.post("/api/v1/users", json={"name": "root", "roles": []})).status_code == 409
    for path in ("/api/v1/users/%00", "/api/v1/users/nobody", "/api/v1/api-keys/%00", "/api/v1/audit/999"):
        assert (await admin.get(path)).status_code == 404


async def test_ones_own_password_and_sessions(admin: httpx.AsyncClient, browsers: Browsers) -> None:
    other = await enter(browsers(), "root")
    sessions = (await admin.get("/api/v1/me/sessions")).json()["items"]
    assert sorted(session["is_current"] for session in sessions) == [False, True]
    ended = next(session["id"] for session in sessions if not session["is_current"])
    assert (await admin.delete(f"/api/v1/me/sessions/{ended}")).status_code == 204
    assert (await other.get("/api/v1/session")).status_code == 401

    await enter(other, "root")
    assert (await admin.delete("/api/v1/me/sessions")).json() == {"ended": 1}
    wrong = {"current_password": "wrong", "new_password": OTHER_PASSWORD}
    assert (await admin.put("/api/v1/me/password", json=wrong)).status_code == 422
    right = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    assert (await admin.put("/api/v1/me/password", json=right)).status_code == 204
    await enter(browsers(), "root", OTHER_PASSWORD)


async def test_an_api_key_from_making_to_revoking(admin: httpx.AsyncClient, browsers: Browsers) -> None:
    body = {"name": "ci", "permissions": ["user.read", "own.account"], "expires_at": "2026-06-01T00:00:00Z"}
    made = await admin.post("/api/v1/api-keys", json=body)
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    program = browsers()
    program.headers["Authorization"] = f"Bearer {made.json()['secret']}"
    me = (await program.get("/api/v1/session")).json()
    assert (me["api_key_id"], me["csrf_token"]) == (made.json()["key"]["id"], None)
    assert (await program.get("/api/v1/users")).status_code == 200
    assert (await program.get("/api/v1/audit")).status_code == 403
    assert (await program.delete("/api/v1/session")).status_code == 409
    assert (await program.post("/api/v1/api-keys", json=body)).status_code == 409
    listed = (await admin.get("/api/v1/api-keys", params={"owner": "anyone", "filter": "user:root"})).json()
    assert [key["id"] for key in listed["items"]] == [me["api_key_id"]]
    assert made.json()["secret"] not in str(listed)
    assert (await program.delete(made.headers["location"])).status_code == 204
    assert (await program.get("/api/v1/users")).status_code == 401


async def test_roles_are_listed_for_whoever_is_signed_in(
    admin: httpx.AsyncClient, browsers: Browsers
) -> None:
    roles = {role["name"]: role["permissions"] for role in (await admin.get("/api/v1/roles")).json()["items"]}
    assert "run.read" in roles["viewer"]
    assert (await browsers().get("/api/v1/roles")).status_code == 401


async def test_the_audit_log_is_read_filtered_and_proved(
    admin: httpx.AsyncClient, browsers: Browsers, database: Database
) -> None:
    await admin.post("/api/v1/users", json={"name": "alice", "roles": ["operator"]})
    await browsers().post("/api/v1/session", json={"name": "alice", "password": "wrong"})

    async def found(filter_: str) -> list[str]:
        answer = await admin.get("/api/v1/audit", params={"filter": filter_})
        assert answer.status_code == 200, answer.text
        return [entry["action"] for entry in answer.json()["items"]]

    assert await found("") == ["session.refused", "user.created", "session.started", "user.created"]
    assert await found("actor:root action:user.*") == ["user.created"]
    assert await found("outcome:refused target:alice address:192.0.2.7") == ["session.refused"]
    assert await found("time>=2026-01-01 -actor_kind:user") == ["session.refused", "user.created"]
    assert await found("number<=2") == ["session.started", "user.created"]
    assert await found("SESSION") == ["session.refused", "session.started"]
    entry = (await admin.get("/api/v1/audit/4")).json()
    assert (entry["detail"], entry["actor_kind"]) == ({"reason": "wrong_password"}, "nobody")
    report = (await admin.get("/api/v1/audit/verification")).json()
    assert (report["is_whole"], report["entries"], report["newest_hash"]) == (True, 4, entry["hash"])


async def test_pages_of_the_audit_log_follow_each_other(admin: httpx.AsyncClient, database: Database) -> None:
    for number in range(11):
        await admin.post("/api/v1/users", json={"name": f"user{number}", "roles": []})
    for sort in ("-number", "number", "-time", "time"):
        seen: list[int] = []
        cursor: str | None = ""
        while cursor is not None:
            page = await admin.get("/api/v1/audit", params={"limit": 3, "sort": sort, "cursor": cursor})
            seen += [entry["number"] for entry in page.json()["items"]]
            cursor = page.json()["next_cursor"]
        assert seen == sorted(range(1, 14), reverse=sort.startswith("-"))
    async with database.read() as session:
        assert len((await session.scalars(select(AuditEntry))).all()) == 13


async def test_filters_and_cursors_that_no_column_can_hold_are_422(admin: httpx.AsyncClient) -> None:
    from base64 import urlsafe_b64encode

    import msgspec

    def forged(sort: str, value: object, key: object) -> str:
        return urlsafe_b64encode(msgspec.msgpack.encode([sort, value, key])).decode()

    for query in (
        {"filter": "number:99999999999999999999"},
        {"filter": "number>1.5"},
        {"filter": "number:١.5"},
        {"filter": "time>0001-01-01T00:00:00+14:00"},
        {"filter": "actor:\0"},
        {"filter": "outcome:maybe"},
        {"sort": "detail"},
        {"cursor": "AAAA"},
        {"cursor": forged("-number", "x", 1)},
        {"cursor": forged("-number", 1, "x")},
        {"cursor": forged("-number", 2**63, 1)},
        {"cursor": forged("-number", 1.5, 1)},
        {"cursor": forged("time", 5, 1), "sort": "time"},
        {"cursor": forged("time", "yesterday", 1), "sort": "time"},
    ):
        answer = await admin.get("/api/v1/audit", params=query)
        assert answer.status_code == 422, query
    for query in ({"cursor": forged("name", 5, "x")}, {"cursor": forged("name", "x\0", "x")}):
        assert (await admin.get("/api/v1/users", params=query)).status_code == 422, query
