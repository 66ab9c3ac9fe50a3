"""Live streams: whoever comes back misses nothing and sees nothing twice."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving import RunningServer, running_server, script

LINES = 40


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder: Path = tmp_path_factory.mktemp("live")
    with running_server(folder, runners=1, roles=("administrator", "viewer")) as running:
        yield running


@pytest.fixture(scope="module")
def run(room: RunningServer) -> dict[str, Any]:
    """A run that has ended, with a log of known lines."""
    room.publish(script(f"for number in range({LINES}):\n    print('line', number)"), "counting")
    with room.client() as client:
        asked = client.post("/api/v1/runs", json={"bot": "counting"}).json()
    return room.wait_for_end(asked["id"])


def messages(client: httpx.Client, path: str, most: int, **headers: str) -> list[dict[str, Any]]:
    """Read server-sent events until there are enough, or the stream ends."""
    found: list[dict[str, Any]] = []
    current: dict[str, Any] = {}
    with client.stream("GET", path, headers=headers, timeout=20) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for line in response.iter_lines():
            if not line and current:
                found.append(current)
                current = {}
                if len(found) >= most:
                    break
            elif not line.startswith(":") and ": " in line:
                name, _, value = line.partition(": ")
                current[name] = json.loads(value) if name == "data" else value
    return found


def test_events_resume_from_any_position_without_gap_or_repeat(
    room: RunningServer, run: dict[str, Any]
) -> None:
    path = f"/api/v1/events?after=0&subject={run['id']}"
    with room.client() as client:
        whole = messages(client, path, 5)[1:]
        positions = [each["data"]["position"] for each in whole]
        assert positions == sorted(set(positions))
        assert [each["data"]["kind"] for each in whole][:2] == ["run.queued", "run.assigned"]
        for cut in range(len(whole)):
            rest = messages(client, path, len(whole) - cut, **{"Last-Event-ID": str(positions[cut])})[1:]
            assert [each["data"]["position"] for each in rest] == positions[cut + 1 :]


def test_a_log_stream_resumes_at_a_line_and_ends(room: RunningServer, run: dict[str, Any]) -> None:
    path = f"/api/v1/attempts/{run['attempt_id']}/log/stream"
    with room.client() as client:
        whole = [line["text"] for each in messages(client, path, 9) for line in each["data"]["lines"]]
        assert [text for text in whole if text.startswith("line")] == [
            f"line {number}" for number in range(LINES)
        ]
        middle = len(whole) // 2
        again = messages(client, path, 9, **{"Last-Event-ID": str(middle)})
        assert [line["text"] for each in again for line in each["data"]["lines"]] == whole[middle:]
        assert again[-1]["event"] == "end"


def test_whoever_may_not_read_users_hears_nothing_of_them(room: RunningServer) -> None:
    with room.client() as client:
        position = messages(client, "/api/v1/events", 1)[0]["data"]["position"]
        made = client.post("/api/v1/users", json={"name": "heard", "roles": ["viewer"]})
        assert made.status_code == 201, made.text
        heard = messages(client, f"/api/v1/events?after={position}&kinds=user.", 2)
        assert heard[1]["data"]["kind"].startswith("user.")
        token = client.post("/api/v1/pools", json={"name": "after-the-user"})
        assert token.status_code == 201, token.text
    with room.client("viewer") as viewer:
        first = messages(viewer, f"/api/v1/events?after={position}", 2)[1]
        assert first["data"]["kind"] == "pool.created"
