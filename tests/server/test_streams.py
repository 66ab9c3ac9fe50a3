"""WebSocket streams and a log's server-sent events on a database of each kind: resumed at any point, nothing doubled."""

import json
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from starlette.testclient import TestClient, WebSocketTestSession

from controlroom.audit.actor import SYSTEM
from controlroom.devices.models import Device, DeviceMode
from controlroom.foundation import outbox
from controlroom.foundation.ids import new_id
from controlroom.foundation.settings import Settings
from controlroom.identity.service import local_caller
from controlroom.protocol.messages import DeviceFacts, Ended, Log, Outcome, Report, ReportBody, Started
from controlroom.protocol.records import Level, LogRecord, Stream
from controlroom.runs.models import Attempt
from controlroom.runs.reports import Delivery, ReportApplier
from controlroom.runs.schemas import RunIn
from controlroom.runs.tokens import AttemptTokens
from controlroom.server.app import create_app
from controlroom.server.keys import server_key
from controlroom.server.node import Node
from serving import make_key, package_of, script

CALLER = local_caller(SYSTEM)
LINES = 25


class Served:
    """A node that is served in this process, with one ended attempt whose log has `LINES` lines."""

    def __init__(self, app: FastAPI, client: TestClient) -> None:
        self.client = client
        self.node = Node(**{name: getattr(app.state, name) for name in Node.__slots__})
        assert client.portal is not None
        self.call = client.portal.call
        self.attempt_id = self.call(self._fill)
        keys = {role: self.call(make_key, self.node, role) for role in ("administrator", "viewer")}
        self.headers = {role: {"Authorization": f"Bearer {key}"} for role, key in keys.items()}

    async def _fill(self) -> str:
        node, now, device_id = self.node, self.node.clock.now(), new_id("dev")

        async def package() -> Any:
            yield package_of(script("print('x')"), "orders")

        await node.bots.publish(CALLER, package(), name="orders")
        run, _ = await node.runs.request(CALLER, RunIn(bot="orders"))
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
            attempt_id = await session.scalar(select(Attempt.id).where(Attempt.run_id == run.id))
        assert attempt_id is not None
        tokens = AttemptTokens(server_key(node.settings))
        lines = [LogRecord(1.0, Stream.STDOUT, Level.INFO, f"line {number}") for number in range(LINES)]
        bodies: list[ReportBody] = [
            Started(1.0, True, "e", 1),
            Log(tuple(lines)),
            Ended(1.0, Outcome.SUCCEEDED, 0),
        ]
        token = tokens.token_for(attempt_id)
        reports = [Report(attempt_id, token, number, body) for number, body in enumerate(bodies, start=1)]
        await ReportApplier(node.database, node.clock, tokens, Random(1)).apply(
            [Delivery(device_id, reports)]
        )
        return attempt_id

    async def emit(self, kind: str) -> int:
        """Let something happen; return its position."""
        async with self.node.database.write() as transaction:
            outbox.emit(transaction, time=self.node.clock.now(), kind=kind, subject="x", data={})
        async with self.node.database.read() as session:
            return await outbox.last_position(session)

    @contextmanager
    def events(self, query: str, role: str = "viewer") -> Iterator[WebSocketTestSession]:
        """Watch events; the test client cancels a stream that has not ended when the block is left."""
        with (
            suppress(CancelledError),
            self.client.websocket_connect(f"/api/v1/events/ws?{query}", headers=self.headers[role]) as socket,
        ):
            yield socket


@pytest.fixture
def served(database_url: str, tmp_path: Path) -> Iterator[Served]:
    app = create_app(Settings(data_folder=tmp_path / "data", database_url=database_url))
    with TestClient(app) as client:
        yield Served(app, client)


def test_a_log_is_resumed_at_any_line_over_both(served: Served) -> None:
    path, headers = f"/api/v1/attempts/{served.attempt_id}/log", served.headers["viewer"]
    for first in (0, 1, LINES - 1, LINES, 2**31 - 1):
        wanted = [f"line {number}" for number in range(first, LINES)]
        with served.client.websocket_connect(f"{path}/ws?first={first}", headers=headers) as socket:
            part = socket.receive_json()
        assert ([line["text"] for line in part["lines"]], part["complete"]) == (wanted, True)
        resumed = served.client.get(f"{path}/stream", headers={**headers, "Last-Event-ID": str(first)})
        assert [text for text in wanted if json.dumps(text) not in resumed.text] == []
        assert resumed.text.count('"text"') == len(wanted)
        assert "event: end" in resumed.text


def test_a_last_event_id_of_any_size_is_borne(served: Served) -> None:
    path, headers = f"/api/v1/attempts/{served.attempt_id}/log/stream", served.headers["viewer"]
    for given in ("9" * 18, "9" * 40, "-1", "x", ""):
        assert served.client.get(path, headers={**headers, "Last-Event-ID": given}).status_code == 200
    assert served.client.get(f"{path}?first={2**40}", headers=headers).status_code == 422


def test_events_over_a_websocket_come_once_in_order_and_only_to_who_may_know(served: Served) -> None:
    begin = served.call(served.emit, "run.queued")
    expected = [
        served.call(served.emit, kind) for kind in ("run.running", "user.edited", "secret.made", "run.ended")
    ]
    seen: dict[str, list[int]] = {}
    for role in ("administrator", "viewer"):
        positions: list[int] = []
        with served.events(f"after={begin}", role) as socket:
            while not positions or positions[-1] < expected[-1]:
                positions.append(socket.receive_json()["position"])
        seen[role] = [position for position in positions if position in expected]
        assert positions == sorted(set(positions))
    assert seen["administrator"] == [expected[0], expected[1], expected[3]]
    assert seen["viewer"] == [expected[0], expected[3]]


def test_a_watcher_from_another_database_is_told_to_load_anew(served: Served) -> None:
    with served.events("after=999999") as socket:
        assert socket.receive_json() == {"reset": True}


def test_only_some_kinds_or_one_subject_come_where_that_is_asked(served: Served) -> None:
    begin = served.call(served.emit, "run.queued")
    served.call(served.emit, "device.edited")
    wanted = served.call(served.emit, "run.running")
    with served.events(f"after={begin}&kinds=run.&subject=x") as socket:
        assert socket.receive_json()["position"] == wanted
