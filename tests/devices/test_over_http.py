"""Devices over the API and their real runners: joining, editing, revoking."""

from collections.abc import Iterator

import pytest

from serving import RunningServer, running_server, wait_for

FACTS = {"hostname": "h", "system": "linux", "release": "6", "machine": "x86_64", "python": "3.11", "runner_version": "1", "processors": 1, "memory_bytes": 1}  # fmt: skip


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(
        tmp_path_factory.mktemp("devices"), runners=1, roles=("administrator", "viewer")
    ) as running:
        yield running


def test_a_join_token_counts_once(room: RunningServer) -> None:
    with room.client() as client:
        made = client.post("/api/v1/join-tokens", json={"note": "new", "labels": ["excel"]}).json()
        body = {"token": made["token"], "name": "fresh", "facts": FACTS, "slots": 2, "labels": ["own"]}
        first = client.post("/runner/v1/join", json=body)
        assert first.status_code == 201
        again = client.post("/runner/v1/join", json=body)
        assert (again.status_code, again.json()["code"]) == (401, "join_token_refused")
        device = client.get(f"/api/v1/devices/{first.json()['device_id']}").json()
        assert (device["labels"], device["slots"]) == (["excel", "own"], 2)
        listed = next(each for each in client.get("/api/v1/join-tokens").json() if each["id"] == made["id"])
        assert listed["used_at"] is not None
        assert "token" not in listed


def test_a_revoked_join_token_does_not_count(room: RunningServer) -> None:
    with room.client() as client:
        made = client.post("/api/v1/join-tokens", json={}).json()
        client.post(f"/api/v1/join-tokens/{made['id']}/revoke").raise_for_status()
        body = {"token": made["token"], "name": "late", "facts": FACTS}
        assert client.post("/runner/v1/join", json=body).status_code == 401


def test_an_edit_needs_the_version_it_was_made_from(room: RunningServer) -> None:
    with room.client() as client:
        shown = client.get("/api/v1/devices/runner-0")
        path = f"/api/v1/devices/{shown.json()['id']}"
        assert client.patch(path, json={"labels": ["a"]}).status_code == 428
        edited = client.patch(path, json={"labels": ["a"]}, headers={"If-Match": shown.headers["etag"]})
        assert edited.json()["labels"] == ["a"]
        stale = client.patch(path, json={"labels": ["b"]}, headers={"If-Match": shown.headers["etag"]})
        assert stale.status_code == 412
    with room.client("viewer") as viewer:
        refused = viewer.patch(path, json={"labels": ["b"]}, headers={"If-Match": edited.headers["etag"]})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


def test_pools_hold_devices_that_exist(room: RunningServer) -> None:
    with room.client() as client:
        device = client.get("/api/v1/devices/runner-0").json()["id"]
        pool = client.post("/api/v1/pools", json={"name": "Night", "device_ids": [device]})
        assert pool.json()["device_ids"] == [device]
        taken = client.post("/api/v1/pools", json={"name": "Night"})
        assert (taken.status_code, taken.json()["errors"][0]["pointer"]) == (409, "/name")
        unknown = client.post("/api/v1/pools", json={"name": "Day", "device_ids": ["dev_none"]})
        assert unknown.status_code == 422
        assert client.delete(f"/api/v1/pools/{pool.json()['id']}").status_code == 204


def test_revoking_a_device_ends_its_connection_at_once(room: RunningServer) -> None:
    with room.client() as client:
        shown = client.get("/api/v1/devices/runner-0")
        path = f"/api/v1/devices/{shown.json()['id']}"
        headers = {"If-Match": shown.headers["etag"]}
        client.patch(path, json={"mode": "revoked"}, headers=headers).raise_for_status()
        wait_for(lambda: client.get(path).json()["connected_at"] is None, "the connection to end", seconds=20)
        later = client.get(path)
        again = client.patch(path, json={"mode": "active"}, headers={"If-Match": later.headers["etag"]})
        assert (again.status_code, "join anew" in again.json()["detail"]) == (409, True)
