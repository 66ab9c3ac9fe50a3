"""A stream ends with the right to it, at once; and a page that is merely open keeps no session alive."""

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from conftest import SteeredClock
from controlroom.audit.actor import SYSTEM
from controlroom.foundation.settings import Settings
from controlroom.identity.caller import Caller
from controlroom.identity.cookies import COOKIE_NAME
from controlroom.identity.permissions import Permission
from controlroom.identity.service import IdentityService, local_caller
from controlroom.server.app import create_app
from controlroom.server.live import api as live_api
from serving import package_of, script

CONSOLE = local_caller(SYSTEM)
PASSWORD = "seven lamps in the harbour"
ORIGIN = {"Origin": "http://testserver"}


@dataclass
class Watched:
    """A Control Room in this process, with someone signed in by a browser."""

    client: TestClient
    clock: SteeredClock
    identity: IdentityService
    user_id: str

    def call(self, work: Callable[..., object], *arguments: object, **options: object) -> object:
        assert self.client.portal is not None
        return self.client.portal.call(lambda: work(*arguments, **options))

    def is_signed_in(self, **headers: str) -> bool:
        given = {"Accept": "application/json", **headers}
        return bool(self.client.get("/api/v1/session", headers=given).status_code == 200)

    def pass_minutes(self, minutes: float) -> None:
        """Let time pass, and what is remembered of sessions with it."""
        self.clock.advance(minutes * 60)


@pytest.fixture
def watched(tmp_path: Path, clock: SteeredClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr(live_api, "LOOK_AGAIN_SECONDS", 0.05)
    app = create_app(Settings(data_folder=tmp_path / "data", session_idle_minutes=60), clock)
    with TestClient(app) as client:
        identity: IdentityService = app.state.identity
        assert client.portal is not None
        client.portal.call(
            lambda: identity.accounts.create(
                CONSOLE, name="watcher", roles=["administrator"], password=PASSWORD
            )
        )
        user = client.portal.call(identity.accounts.by_name, "watcher")
        answer = client.post("/api/v1/session", json={"name": "watcher", "password": PASSWORD})
        assert answer.status_code in (200, 201), answer.text
        yield Watched(client, clock, identity, user.id)


def attempt_of(watched: Watched) -> str:
    """Return an attempt that is under way, so that its log has no end yet."""
    from sqlalchemy import select

    from controlroom.devices.models import Device, DeviceMode
    from controlroom.foundation.ids import new_id
    from controlroom.protocol.messages import DeviceFacts
    from controlroom.runs.models import Attempt
    from controlroom.runs.schemas import RunIn
    from controlroom.server.node import Node

    node = Node(**{name: getattr(watched.client.app.state, name) for name in Node.__slots__})  # type: ignore[attr-defined]  # a FastAPI app

    async def fill() -> str:
        async def package() -> object:
            yield package_of(script("print('x')"), "orders")

        await node.bots.publish(CONSOLE, package(), name="orders")  # type: ignore[arg-type]  # an async generator
        await node.runs.request(CONSOLE, RunIn(bot="orders"))
        device_id, now = new_id("dev"), node.clock.now()
        async with node.database.write() as transaction:
            transaction.session.add(
                Device(
                    id=device_id, name="press", key_hash="0", mode=DeviceMode.ACTIVE, slots=1, labels=[], facts={},
                    joined_at=now, updated_at=now, revision=1,
                )
            )  # fmt: skip
        await node.presence.connected(
            device_id, new_id("con"), DeviceFacts("h", "linux", "6", "m", "3", "0", 1, 1)
        )
        await node.dispatcher.assign_all()
        async with node.database.read() as session:
            found = await session.scalar(select(Attempt.id))
        assert found is not None
        return str(found)

    return str(watched.call(fill))


def until_closed(socket: WebSocketTestSession) -> int:
    """Read until the server closes the stream; return why."""
    while True:
        try:
            socket.receive_json()
        except WebSocketDisconnect as closed:
            return int(closed.code)


async def _sign_out(watched: Watched) -> None:
    token = watched.client.cookies[COOKIE_NAME]
    signed_in = await watched.identity.authentication.by_session(token)
    assert signed_in is not None
    await watched.identity.sessions.sign_out(signed_in.caller(address="", request_id=""))


async def _disable(watched: Watched) -> None:
    await watched.identity.accounts.create(
        CONSOLE, name="another", roles=["administrator"], password=PASSWORD
    )
    await watched.identity.accounts.disable(CONSOLE, watched.user_id)


async def _take_the_role(watched: Watched) -> None:
    await watched.identity.accounts.create(
        CONSOLE, name="another", roles=["administrator"], password=PASSWORD
    )
    user = await watched.identity.accounts.get(watched.user_id)
    await watched.identity.accounts.edit(CONSOLE, user.id, roles=[])


@pytest.mark.parametrize("revoke", [_sign_out, _disable, _take_the_role])
@pytest.mark.parametrize("stream", ["events", "log"])
@pytest.mark.timeout(60)
def test_a_stream_is_closed_when_its_right_is_taken(
    watched: Watched, revoke: Callable[..., object], stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        live_api, "LOOK_AGAIN_SECONDS", 3600.0
    )  # no look by the clock: the change itself must do it
    monkeypatch.setattr(live_api, "_MISSED_WAKE_SECONDS", 0.05)
    path = "/api/v1/events/ws" if stream == "events" else f"/api/v1/attempts/{attempt_of(watched)}/log/ws"
    code = 0
    with (
        suppress(CancelledError),
        watched.client.websocket_connect(path, headers=ORIGIN) as socket,
    ):
        watched.call(revoke, watched)
        code = until_closed(socket)
    assert code == 1008


@pytest.mark.timeout(60)
def test_a_stream_is_closed_when_its_session_has_been_idle_for_too_long(watched: Watched) -> None:
    """Nobody did anything, nothing happened: the stream itself looks, and does not count as a use."""
    code = 0
    with (
        suppress(CancelledError),
        watched.client.websocket_connect("/api/v1/events/ws", headers=ORIGIN) as socket,
    ):
        watched.pass_minutes(61)
        code = until_closed(socket)
    assert code == 1008


@pytest.mark.parametrize(
    ("headers", "is_alive"),
    [
        ({}, True),
        ({"X-Background": "live"}, False),
        ({"Accept": "text/event-stream"}, False),
    ],
    ids=["a person's request", "a page's own request", "a stream"],
)
def test_only_what_a_person_does_keeps_a_session_alive(
    watched: Watched, headers: dict[str, str], is_alive: bool
) -> None:
    for _ in range(4):
        watched.pass_minutes(20)
        last = watched.is_signed_in(**headers)
    assert last is is_alive


@pytest.mark.timeout(60)
def test_a_stream_is_closed_when_its_api_key_is_revoked(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_api, "LOOK_AGAIN_SECONDS", 3600.0)

    async def make_key() -> tuple[Caller, str, str]:
        token = watched.client.cookies[COOKIE_NAME]
        signed_in = await watched.identity.authentication.by_session(token)
        assert signed_in is not None
        caller = signed_in.caller(address="", request_id="")
        made = await watched.identity.api_keys.create(
            caller,
            name="watching",
            permissions=[Permission.RUN_READ],
            expires_at=watched.clock.now() + timedelta(days=1),
        )
        return caller, made.key.id, made.secret

    assert watched.client.portal is not None
    caller, key_id, secret = watched.client.portal.call(make_key)
    code = 0
    with (
        suppress(CancelledError),
        watched.client.websocket_connect(
            "/api/v1/events/ws", headers={"Authorization": f"Bearer {secret}"}
        ) as socket,
    ):
        watched.call(watched.identity.api_keys.revoke, caller, key_id)
        code = until_closed(socket)
    assert code == 1008
