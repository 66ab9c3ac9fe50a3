"""One real Control Room for the tests of bad input, with something of each kind in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from controlroom.identity.permissions import SHIPPED_ROLES
from serving import RunningServer, running_server, script

ROLES = tuple(SHIPPED_ROLES)


@dataclass(frozen=True)
class Stocked:
    """A Control Room and the ids of what lies in it, by the names that the API's paths use."""

    room: RunningServer
    known: dict[str, Any]


@pytest.fixture(scope="session")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stocked]:
    """A Control Room with a bot, runs that succeeded, a device, a pool, a join token and users."""
    folder = tmp_path_factory.mktemp("bad-input")
    with running_server(folder, runners=1, roles=ROLES) as room:
        yield Stocked(room, _stock(room))


def _stock(room: RunningServer) -> dict[str, Any]:
    source = script(
        "from controlroom import bot\nprint('secret of another')\n"
        "bot.artifact('note.txt') if open('note.txt', 'w').write('x') else None\n"
    )
    published = room.publish(source, "stocked")
    with room.client() as client:

        def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
            answer: dict[str, Any] = client.post(path, json=body).raise_for_status().json()
            return answer

        def first(path: str) -> dict[str, Any]:
            found: dict[str, Any] = client.get(path).raise_for_status().json()["items"][0]
            return found

        for _ in range(2):  # the second has one to be compared with
            run = room.wait_for_end(post("/api/v1/runs", {"bot": "stocked"})["id"])
            assert run["state"] == "succeeded", run["message"]
        pool = post("/api/v1/pools", {"name": "a pool"})
        token = post("/api/v1/join-tokens", {"note": "for the test"})
        users = client.get("/api/v1/users").raise_for_status().json()["items"]
        artifacts = client.get(f"/api/v1/runs/{run['id']}/artifacts").raise_for_status().json()
        return {
            "run_id": run["id"],
            "attempt_id": run["attempt_id"],
            "artifact_id": (artifacts["items"] if isinstance(artifacts, dict) else artifacts)[0]["id"],
            "bot": published["bot"]["id"],
            "bot_id": published["bot"]["id"],
            "device": first("/api/v1/devices")["id"],
            "device_id": first("/api/v1/devices")["id"],
            "pool": pool["id"],
            "token_id": token["id"],
            "user_id": next(user["id"] for user in users if user["name"] == "some_auditor"),
        }
