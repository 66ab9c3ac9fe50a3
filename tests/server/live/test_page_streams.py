"""The streams of open pages over real connections: they end with the right to them, and no slow reader makes them grow."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from controlroom.foundation import outbox
from controlroom.identity.caller import Caller
from controlroom.identity.cookies import COOKIE_NAME
from controlroom.identity.permissions import Permission
from controlroom.server.live import api as live_api
from controlroom.server.live import sse
from web.served import Site, served_site

PASSWORD = "seven lamps in the harbour"
GATHERED = "/api/v1/events?gather=true"
STREAMS = (GATHERED, "/api/v1/events")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("streams")
    with served_site(folder) as served:
        yield served


@pytest.fixture
def browser(site: Site, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """The browser of an administrator of its own, named after the test."""
    name = f"watcher-{abs(hash(request.node.name))}"
    accounts = site.app.state.identity.accounts
    site.do(lambda: accounts.create(site.caller, name=name, roles=["administrator"], password=PASSWORD))
    with httpx.Client(base_url=site.address, timeout=30, trust_env=False) as client:
        answer = client.post("/api/v1/session", json={"name": name, "password": PASSWORD})
        assert answer.is_success, answer.text
        yield client


def emit(site: Site, *kinds: str, **data: object) -> int:
    """Let something happen; return the position of the last."""

    async def work() -> int:
        async with site.app.state.database.write() as transaction:
            for kind in kinds:
                outbox.emit(transaction, time=datetime.now(UTC), kind=kind, subject="run_x", data=data)
        async with site.app.state.database.read() as session:
            return await outbox.last_position(session)

    return site.do(work)


def messages(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each message's kind and data."""
    kind = ""
    for line in lines:
        if line.startswith("event: "):
            kind = line[7:]
        elif line.startswith("data: "):
            yield kind, json.loads(line[6:])


async def _caller(site: Site, browser: httpx.Client) -> Caller:
    identity = site.app.state.identity
    signed_in = await identity.authentication.by_session(browser.cookies[COOKIE_NAME])
    assert signed_in is not None
    caller: Caller = signed_in.caller(address="", request_id="")
    return caller


async def _sign_out(site: Site, browser: httpx.Client) -> None:
    await site.app.state.identity.sessions.sign_out(await _caller(site, browser))


async def _disable(site: Site, browser: httpx.Client) -> None:
    caller = await _caller(site, browser)
    await site.app.state.identity.accounts.disable(site.caller, caller.user_id)


async def _take_the_role(site: Site, browser: httpx.Client) -> None:
    caller = await _caller(site, browser)
    await site.app.state.identity.accounts.edit(site.caller, caller.user_id, roles=[])


@pytest.mark.parametrize("revoke", [_sign_out, _disable, _take_the_role])
@pytest.mark.parametrize("path", STREAMS, ids=["gathered", "each"])
@pytest.mark.timeout(60)
def test_a_stream_ends_at_once_with_the_right_to_it(
    site: Site,
    browser: httpx.Client,
    path: str,
    revoke: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No look by the clock helps, and no page is told of anything for an hour: the change itself must do it."""
    monkeypatch.setattr(live_api, "LOOK_AGAIN_SECONDS", 3600.0)
    monkeypatch.setattr(site.app.state.live_budget, "_reserved_until", time.monotonic() + 3600)
    with browser.stream("GET", path) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("id: ")
        site.do(lambda: revoke(site, browser))
        kinds = [
            kind
            for kind, data in messages(lines)
            if data.get("kind") not in ("user.changed", "session.changed")
        ]
        assert kinds == ["hello"]
    assert browser.get("/api/v1/events").status_code in (401, 403)


@pytest.mark.parametrize("path", STREAMS, ids=["gathered", "each"])
@pytest.mark.timeout(60)
def test_a_stream_ends_at_once_with_its_api_key(
    site: Site, browser: httpx.Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_api, "LOOK_AGAIN_SECONDS", 3600.0)
    keys = site.app.state.identity.api_keys

    async def make() -> tuple[Caller, Any]:
        caller = await _caller(site, browser)
        made = await keys.create(
            caller,
            name="watching",
            permissions=[Permission.RUN_READ],
            expires_at=datetime.now(UTC) + timedelta(days=1),
        )
        return caller, made

    caller, made = site.do(make)
    headers = {"Authorization": f"Bearer {made.secret}"}
    with httpx.stream("GET", f"{site.address}{path}", headers=headers, timeout=30, trust_env=False) as stream:
        lines = stream.iter_lines()
        next(lines)
        site.do(lambda: keys.revoke(caller, made.key.id))
        assert [kind for kind, _ in messages(lines)] == ["hello"]


@pytest.mark.timeout(60)
def test_a_page_is_told_its_turn_and_goes_on_from_where_it_was(site: Site, browser: httpx.Client) -> None:
    before = emit(site, "run.queued")
    last = emit(site, "run.running", "run.succeeded")
    with browser.stream("GET", f"{GATHERED}&after={before}") as stream:
        told = messages(stream.iter_lines())
        assert next(told) == ("hello", {"position": before})
        kind, data = next(told)
        while data["position"] < last:
            kind, data = next(told)
        assert kind == "changes"
        assert set(data) == {"position", "wait"}
        here = data["position"]
        later = emit(site, "run.queued")
        kind, data = next(told)
        assert (kind, data["position"] > here) == ("changes", True)
    with browser.stream("GET", GATHERED, headers={"Last-Event-ID": str(later)}) as stream:
        told = messages(stream.iter_lines())
        assert next(told) == ("hello", {"position": later})
        newest = emit(site, "run.running")
        assert next(told)[1]["position"] >= newest


def test_a_page_from_another_database_loads_anew(site: Site, browser: httpx.Client) -> None:
    with browser.stream("GET", f"{GATHERED}&after=99999999") as stream:
        assert [kind for kind, _ in messages(stream.iter_lines())] == ["hello", "reset"]


@pytest.mark.timeout(120)
def test_a_reader_who_takes_nothing_makes_nothing_grow_and_misses_nothing(
    site: Site, browser: httpx.Client
) -> None:
    """More happens than all buffers on the way hold. Meanwhile nothing is made for this reader but what fits in there."""
    made = [0]
    message = sse.message

    def counting(kind: str, data: object, *, position: int | None = None) -> bytes:
        made[0] += kind == "change"
        return message(kind, data, position=position)

    begin = emit(site, "run.queued")
    with (
        pytest.MonkeyPatch.context() as patch,
        _connection(site, browser, f"/api/v1/events?after={begin}") as reader,
    ):
        patch.setattr(sse, "message", counting)
        assert reader.recv(1024).startswith(b"HTTP/1.1 200")
        last, emitted = begin, 0
        for _ in range(40):
            last = emit(site, *["run.running"] * 100, words="x" * 4_000)
            emitted += 100
        site.do(lambda: _read_up_to(site, last))
        assert made[0] < emitted / 2
        received = bytearray()
        while b"id: %d\n" % last not in received[-20_000:]:
            received += reader.recv(1 << 20)
    ids = [int(line[4:]) for line in received.split(b"\n") if line.startswith(b"id: ") and line[4:].isdigit()]
    told = [each for each in ids if each > begin]
    assert told == sorted(set(told))
    assert len(told) == emitted


def _connection(site: Site, browser: httpx.Client, path: str) -> socket.socket:
    """Open a stream with small buffers, and read nothing of it."""
    host, _, port = site.address.removeprefix("http://").partition(":")
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    opened.settimeout(60)
    opened.connect((host, int(port)))
    cookie = f"{COOKIE_NAME}={browser.cookies[COOKIE_NAME]}"
    opened.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n".encode())
    return opened


async def _read_up_to(site: Site, position: int) -> None:
    events = site.app.state.events
    turn = events.turn
    while events.position < position:
        await turn.wait()
        turn = events.turn


async def test_a_reader_who_takes_nothing_for_too_long_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LONGEST_SEND_SECONDS", 0.05)
    made, is_closed = [0], [False]

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                made[0] += 1
                yield sse.KEEP_ALIVE
        finally:
            is_closed[0] = True

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def send(message: Any) -> None:
        if message.get("body"):
            await asyncio.Event().wait()

    for version in ("2.3", "2.4"):
        made[0], body = 0, endless()
        scope = {"type": "http", "path": "/api/v1/events", "asgi": {"spec_version": version}}
        async with asyncio.timeout(20):
            await sse.stream(body)(scope, receive, send)
        await body.aclose()
        assert made == [1]
        assert is_closed == [True]
