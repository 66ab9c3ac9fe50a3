"""Guards seen from outside: who gets in, with what, and what a browser must show besides its cookie."""

from collections.abc import Callable, MutableMapping
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, WebSocket
from fastapi.responses import RedirectResponse
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from controlroom.foundation.cache.memory import MemoryCache
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.settings import Settings
from controlroom.identity import api
from controlroom.identity.access import (
    PUBLIC,
    Guard,
    page_caller,
    permitted,
    permitted_websocket,
    sign_in_location,
)
from controlroom.identity.caller import Caller
from controlroom.identity.cross_site import safe_next
from controlroom.identity.errors import SignInNeeded
from controlroom.identity.permissions import Permission
from controlroom.identity.route_audit import WEBSOCKET, RoutePermission, route_permissions
from controlroom.identity.service import IdentityService
from controlroom.identity.sessions import Origin

PASSWORD = "lamps over quiet rivers"
SITE = "http://controlroom.test"
Browsers = Callable[[], httpx.AsyncClient]


@pytest.fixture
def app(app: FastAPI) -> FastAPI:
    """The small app with three guarded things: one to read, one to change, one page."""

    @app.get("/things")
    async def read(caller: Annotated[Caller, permitted(Permission.RUN_READ)]) -> str:
        return f"{caller.actor.kind} {caller.actor.address}"

    @app.post("/things")
    async def change(_caller: Annotated[Caller, permitted(Permission.RUN_REQUEST)]) -> str:
        return "changed"

    @app.post("/forms")
    async def submit(
        request: Request, _caller: Annotated[Caller, page_caller(Permission.RUN_REQUEST)]
    ) -> str:
        return str((await request.form())["what"])

    @app.get("/users-only")
    async def manage(_caller: Annotated[Caller, permitted(Permission.USER_MANAGE)]) -> None: ...

    @app.get("/page")
    async def page(caller: Annotated[Caller, page_caller(Permission.RUN_READ)]) -> str:
        return caller.user_name

    @app.exception_handler(SignInNeeded)
    async def redirect(_request: Request, error: SignInNeeded) -> RedirectResponse:
        return RedirectResponse(error.location, 303)

    return app


@pytest.fixture
async def browser(browsers: Browsers, identity: IdentityService, console: Caller) -> httpx.AsyncClient:
    """A browser in which an operator is signed in; ``headers`` hold the CSRF token."""
    await identity.accounts.create(console, name="alice", roles=["operator"], password=PASSWORD)
    client = browsers()
    answer = await client.post("/api/v1/session", json={"name": "alice", "password": PASSWORD})
    assert answer.status_code == 201
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return client


@pytest.fixture
async def key(browser: httpx.AsyncClient, clock) -> str:  # type: ignore[no-untyped-def]
    body = {"name": "ci", "permissions": ["run.read", "run.request"], "expires_at": "2026-06-01T00:00:00Z"}
    answer = await browser.post("/api/v1/api-keys", json=body)
    assert answer.status_code == 201
    return str(answer.json()["secret"])


async def test_nobody_signed_in_is_401_and_a_missing_right_is_403(
    browsers: Browsers, browser: httpx.AsyncClient
) -> None:
    assert (await browsers().get("/things")).status_code == 401
    assert (await browser.get("/things")).text == '"user 192.0.2.7"'
    answer = await browser.get("/users-only")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "user.manage" in answer.json()["detail"]


async def test_a_change_by_cookie_needs_the_sessions_own_token(browser: httpx.AsyncClient) -> None:
    assert (await browser.post("/things")).status_code == 200
    for token in ("", "wrong", "ü"):
        answer = await browser.post("/things", headers={"X-CSRF-Token": token.encode()})
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
    del browser.headers["X-CSRF-Token"]
    assert (await browser.post("/things")).json()["code"] == "cross_site"
    assert (await browser.get("/things")).status_code == 200


async def test_a_token_of_another_session_does_not_do(browser: httpx.AsyncClient, browsers: Browsers) -> None:
    other = browsers()
    answer = await other.post("/api/v1/session", json={"name": "alice", "password": PASSWORD})
    assert (
        await browser.post("/things", headers={"X-CSRF-Token": answer.json()["csrf_token"]})
    ).status_code == 403


async def test_a_form_may_carry_the_token_in_a_field(browser: httpx.AsyncClient) -> None:
    token = browser.headers.pop("X-CSRF-Token")
    right, wrong = {"what": "tea", "csrf_token": token}, {"what": "tea", "csrf_token": token[::-1]}
    assert (await browser.post("/forms", data=right)).text == '"tea"'
    assert (await browser.post("/forms", data=right, files={"file": b"x"})).text == '"tea"'
    assert (await browser.post("/forms", data=wrong)).status_code == 403
    as_file = {"csrf_token": ("csrf_token", token.encode())}
    assert (await browser.post("/forms", data={"what": "tea"}, files=as_file)).status_code == 403


async def test_a_change_that_another_site_makes_is_refused_even_with_the_token(
    browser: httpx.AsyncClient,
) -> None:
    own: list[dict[str, str]] = [
        {"Origin": SITE},
        {"Origin": "https://controlroom.test"},
        {"Sec-Fetch-Site": "same-origin", "Origin": SITE},
        {"Sec-Fetch-Site": "none"},
    ]
    foreign: list[dict[str, str]] = [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.test"},
        {"Origin": "http://controlroom.test:81"},
        {"Origin": "http://controlroom.test.evil.test"},
        {"Origin": "null"},
        {"Origin": "http://[broken"},
    ]
    assert [(await browser.post("/things", headers=headers)).status_code for headers in own] == [200] * 4
    assert [(await browser.post("/things", headers=headers)).status_code for headers in foreign] == [403] * 7


async def test_signing_in_from_another_site_is_refused(browsers: Browsers) -> None:
    answer = await browsers().post(
        "/api/v1/session",
        json={"name": "mallory", "password": PASSWORD},
        headers={"Origin": "http://evil.test"},
    )
    assert answer.status_code == 403


async def test_an_api_key_needs_no_token_and_no_origin(browsers: Browsers, key: str) -> None:
    program = browsers()
    headers = {"Authorization": f"bearer {key}"}
    assert (await program.get("/things", headers=headers)).text == '"api_key 192.0.2.7"'
    assert (
        await program.post("/things", headers={**headers, "Origin": "http://evil.test"})
    ).status_code == 200
    assert (await program.get("/users-only", headers=headers)).status_code == 403


async def test_a_key_that_is_not_valid_is_refused_even_beside_a_good_cookie(
    browser: httpx.AsyncClient,
) -> None:
    for authorization in ("Bearer crk_wrong", "Bearer ", "Basic YTpi", "crk_x", "", "Bearer ü"):
        answer = await browser.get("/things", headers={"Authorization": authorization.encode()})
        assert answer.status_code == 401, authorization


async def test_a_page_leads_to_sign_in_and_back(browsers: Browsers, browser: httpx.AsyncClient) -> None:
    answer = await browsers().get("/page?tab=log&run=1")
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/sign-in?next=%2Fpage%3Ftab%3Dlog%26run%3D1",
    )
    part = await browsers().get("/page", headers={"HX-Request": "true"})
    assert part.headers["location"] == "/sign-in"
    assert (await browsers().post("/forms")).headers["location"] == "/sign-in"
    assert (await browser.get("/page")).text == '"alice"'


def test_the_way_back_is_never_another_server() -> None:
    scope = {"type": "http", "method": "GET", "path": "//evil.test", "query_string": b"", "headers": []}
    scope |= {"server": ("controlroom.test", 80), "scheme": "http"}
    assert sign_in_location(Request(scope)) == "/sign-in"


@pytest.mark.parametrize(
    "wanted", ["/", "/runs", "/runs?filter=state:failed&x=//y", "/a/../b", "/%2F%2Fevil.test"]
)
def test_paths_of_this_server_are_safe_to_go_to(wanted: str) -> None:
    assert safe_next(wanted) == wanted


@given(st.text(st.sampled_from("/\\:.?#@ \t\r\n\0ahtps"), max_size=12))
@example("//evil.test")
@example("/\\evil.test")
@example("/\t/evil.test")
@example("https://evil.test")
@example("javascript:alert(1)")
@example("")
def test_whatever_is_wanted_a_browser_stays_on_this_server(wanted: str) -> None:
    kept = safe_next(wanted)
    # As browsers read it (https://url.spec.whatwg.org): tabs and line ends vanish, a backslash is a slash.
    as_read = kept.replace("\\", "/").translate({9: None, 10: None, 13: None}).strip()
    assert as_read.startswith("/")
    assert not as_read.startswith("//")


async def knock(app: FastAPI, **headers: str) -> list[MutableMapping[str, Any]]:
    """Open a WebSocket as a client would and return what the app sends."""
    sent: list[MutableMapping[str, Any]] = []
    scope = {
        "type": "websocket",
        "path": "/live",
        "raw_path": b"/live",
        "query_string": b"",
        "root_path": "",
        "scheme": "ws",
        "http_version": "1.1",
        "server": ("controlroom.test", 80),
        "client": ("192.0.2.7", 50_000),
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
        "state": {},
        "headers": [(b"host", b"controlroom.test")]
        + [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


async def test_a_web_socket_opens_for_its_own_pages_and_for_keys(
    app: FastAPI, browser: httpx.AsyncClient, key: str
) -> None:
    @app.websocket("/live")
    async def live(
        websocket: WebSocket, caller: Annotated[Caller, permitted_websocket(Permission.RUN_READ)]
    ) -> None:
        await websocket.accept()
        await websocket.send_text(caller.actor.kind)

    cookie = next(iter(browser.cookies.jar))
    own = f"{cookie.name}={cookie.value}"
    for headers, who in (
        ({"authorization": f"Bearer {key}"}, "api_key"),
        ({"cookie": own, "origin": SITE}, "user"),
        ({"cookie": own}, "user"),
    ):
        accepted, said, *_ = await knock(app, **headers)
        assert (accepted["type"], said["text"]) == ("websocket.accept", who)
    for headers, status in (
        ({}, 401),
        ({"authorization": "Bearer crk_wrong", "cookie": own}, 401),
        ({"cookie": own, "origin": "http://evil.test"}, 403),
        ({"cookie": own, "origin": SITE, "sec-fetch-site": "cross-site"}, 403),
    ):
        refused, *_ = await knock(app, **headers)
        assert (refused["type"], refused["status"]) == ("websocket.http.response.start", status)


async def test_the_cookie_is_as_strict_as_the_address_allows(
    database: Database, identity: IdentityService, browser: httpx.AsyncClient, clock: Clock
) -> None:
    for public_url, is_secure in (
        ("", False),
        ("http://robots.example", False),
        ("https://robots.example", True),
        ("HTTPS://robots.example:8443/", True),
    ):
        identity.cookie = IdentityService(
            database, MemoryCache(clock), clock, Settings(public_url=public_url)
        ).cookie
        answer = await browser.post("/api/v1/session", json={"name": "alice", "password": PASSWORD})
        name, *attributes = answer.headers.get_list("set-cookie")[0].split("; ")
        assert name.startswith("__Host-controlroom_session=" if is_secure else "controlroom_session=")
        assert {"HttpOnly", "Path=/", "SameSite=lax", "Max-Age=43200"} <= set(attributes)
        assert ("Secure" in attributes) is is_secure
        assert not any(attribute.lower().startswith("domain") for attribute in attributes)


async def test_the_public_address_counts_as_ones_own_behind_a_proxy(
    browser: httpx.AsyncClient, identity: IdentityService
) -> None:
    identity.public_url = "https://robots.example:8443/"
    assert (
        await browser.post("/things", headers={"Origin": "https://robots.example:8443"})
    ).status_code == 200
    assert (await browser.post("/things", headers={"Origin": "https://robots.example"})).status_code == 403


def test_each_route_says_what_it_needs(tmp_path) -> None:  # type: ignore[no-untyped-def]
    class PublicFiles(StaticFiles):
        permission = Guard.PUBLIC

    inner = APIRouter(prefix="/inner", dependencies=[PUBLIC])

    @inner.get("/open")
    async def open_() -> None: ...

    @inner.get("/shut")
    async def shut(_caller: Annotated[Caller, permitted(Permission.AUDIT_READ)]) -> None: ...

    outer = APIRouter(prefix="/outer")
    outer.include_router(inner)
    app = FastAPI(openapi_url=None)
    app.include_router(outer)

    @app.get("/forgotten")
    async def forgotten() -> None: ...

    @app.websocket("/live")
    async def live(_caller: Annotated[Caller, permitted_websocket(Guard.SIGNED_IN)]) -> None: ...

    app.mount("/static", PublicFiles(directory=tmp_path))
    app.mount("/files", StaticFiles(directory=tmp_path))
    below = FastAPI(openapi_url=None)
    below.get("/page")(forgotten)
    app.router.routes.append(Mount("/below", below))
    assert route_permissions(app) == [
        RoutePermission(("GET",), "/outer/inner/open", Guard.PUBLIC),
        RoutePermission(("GET",), "/outer/inner/shut", Permission.AUDIT_READ),
        RoutePermission(("GET",), "/forgotten", None),
        RoutePermission((WEBSOCKET,), "/live", Guard.SIGNED_IN),
        RoutePermission((), "/static", Guard.PUBLIC),
        RoutePermission((), "/files", None),
        RoutePermission(("GET",), "/below/page", None),
    ]


def test_only_signing_in_is_open_to_everyone_here() -> None:
    app = FastAPI(openapi_url=None)
    app.include_router(api.router)
    routes = route_permissions(app)
    assert all(route.permission is not None for route in routes)
    assert [(route.methods, route.path) for route in routes if route.permission is Guard.PUBLIC] == [
        (("POST",), "/api/v1/session"),
        (("POST",), "/api/v1/session/second-step"),
    ]


async def test_a_request_writes_where_it_came_from(
    browser: httpx.AsyncClient, identity: IdentityService
) -> None:
    cookie = next(iter(browser.cookies.jar))
    assert cookie.value
    found = await identity.authentication.by_session(cookie.value)
    assert found is not None
    (session,) = await identity.sessions.live(found.user_id)
    assert (session.address, session.agent.split("/")[0]) == ("192.0.2.7", "python-httpx")
    assert Origin("192.0.2.7").agent == ""
