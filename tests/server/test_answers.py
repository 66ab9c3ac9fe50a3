"""What every answer of a node is like: problems, headers, health, metrics, the description of the API."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import IntegrityError

from controlroom.foundation import errors
from controlroom.foundation.database import Database
from controlroom.foundation.errors import ControlRoomError, FieldError
from controlroom.foundation.http import PROBLEM_MEDIA_TYPE
from controlroom.foundation.settings import Settings
from controlroom.identity.access import PUBLIC
from controlroom.server.app import create_app
from controlroom.server.node import Node
from serving import free_port, make_key

KINDS = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ControlRoomError)
]


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[FastAPI]:
    """A node that is served, with routes that fail on purpose."""
    made = create_app(Settings(data_folder=tmp_path / "data"))

    @made.get("/fails/{name}", dependencies=[PUBLIC])
    async def fails(name: str) -> None:
        if name == "unforeseen":
            raise RuntimeError("the hidden reason")
        if name == "met":
            raise IntegrityError("INSERT", {}, Exception("the hidden reason"))
        kind = next(kind for kind in KINDS if kind.__name__ == name)
        raise kind("What happened.", fields=(FieldError("/a", "is wrong"),), retry_after_seconds=7)

    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://controlroom.test") as opened:
        yield opened


async def test_each_kind_of_error_is_a_problem_with_its_requests_id(client: httpx.AsyncClient) -> None:
    assert len(KINDS) > 10
    for kind in KINDS:
        answer = await client.get(f"/fails/{kind.__name__}", headers={"X-Request-Id": "my-request-1"})
        assert answer.status_code == kind.status, kind
        assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
        assert answer.headers["retry-after"] == "7"
        assert ("www-authenticate" in answer.headers) == (kind.status == 401)
        assert answer.json() == {
            "type": f"/problems/{kind.code}",
            "title": kind.title,
            "status": kind.status,
            "detail": "What happened.",
            "code": kind.code,
            "request_id": "my-request-1",
            "errors": [{"pointer": "/a", "message": "is wrong"}],
        }


async def test_two_that_meet_in_the_database_are_a_conflict(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fails/met")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "hidden reason" not in answer.text


async def test_an_unforeseen_error_says_nothing_of_itself(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fails/unforeseen", headers={"Accept": "application/json"})
    assert answer.status_code == 500
    assert "hidden reason" not in answer.text
    assert "RuntimeError" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/health/live", "/nothing/here", "/sign-in", "/api/v1/runs", "/metrics"])
async def test_every_answer_keeps_browsers_strict(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-request-id"].startswith("req_")
    assert "strict-transport-security" not in answer.headers  # it is served over plain HTTP here


async def test_a_request_id_of_no_sensible_form_is_replaced(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/live", headers={"X-Request-Id": "a b<script>"})
    assert answer.headers["x-request-id"].startswith("req_")


async def test_what_does_not_fit_is_named_by_its_pointer(client: httpx.AsyncClient, app: FastAPI) -> None:
    key = await make_key(_node(app), "administrator")
    headers = {"Authorization": f"Bearer {key}"}
    answer = await client.post("/api/v1/runs", headers=headers, json={"bot": "", "a/b~c": 1, "priority": 999})
    assert answer.status_code == 422
    assert {field["pointer"] for field in answer.json()["errors"]} == {"/bot", "/a~1b~0c", "/priority"}


async def test_a_node_is_not_ready_while_its_database_is_away(
    client: httpx.AsyncClient, app: FastAPI
) -> None:
    assert (await client.get("/health/ready")).json() == {"status": "ok", "database": "ok"}
    whole = app.state.database
    app.state.database = Database(f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/none")
    try:
        answer = await client.get("/health/ready")
        assert (answer.status_code, answer.json()) == (503, {"status": "not_ready", "database": "away"})
        assert (await client.get("/health/live")).status_code == 200
    finally:
        app.state.database = whole


async def test_metrics_count_by_route_and_name_no_run(client: httpx.AsyncClient) -> None:
    await client.get("/api/v1/runs/run_with_a_name")
    text = (await client.get("/metrics")).text
    assert 'controlroom_http_requests_total{method="GET",route="/api/v1/runs/{run_id}",status="401"}' in text
    assert "controlroom_connected_runners 0.0" in text
    assert "run_with_a_name" not in text


async def test_the_description_is_whole(client: httpx.AsyncClient, app: FastAPI) -> None:
    assert (await client.get("/api/v1/openapi.json")).status_code == 401
    document = app.openapi()
    assert document["openapi"] == "3.1.0"
    identifiers = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path.startswith("/fails"):
                continue
            named = f"{method} {path}"
            identifiers.append(operation["operationId"])
            assert operation.get("description"), named
            for status, response in operation["responses"].items():
                if int(status) >= 400 and not path.startswith("/health"):
                    schema = response["content"][PROBLEM_MEDIA_TYPE]["schema"]
                    assert schema == {"$ref": "#/components/schemas/Problem"}, f"{named} {status}"
            if operation.get("security"):
                assert "401" in operation["responses"], named
    assert len(set(identifiers)) == len(identifiers) > 40


def _node(app: FastAPI) -> Node:
    return Node(**{name: getattr(app.state, name) for name in Node.__slots__})
