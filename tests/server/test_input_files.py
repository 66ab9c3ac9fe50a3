"""A real file through a real server to a real bot on a real runner, over either transport, and back."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import serving
from cli.conftest import Command, command  # noqa: F401  # the fixture of the commands' tests
from serving import QUICK, RunningServer, running_server, script, wait_for

_REFUSE_WEBSOCKETS = """
import sys
from controlroom.runner.link.transport import TransportBlocked
from controlroom.runner.link.websocket import WebSocketTransport
async def blocked(self, hello):
    raise TransportBlocked("a proxy refuses WebSockets", certain=True)
WebSocketTransport.open = blocked
from controlroom.cli.main import main
sys.exit(main())
"""
FILE = {"type": "string", "format": "file"}
BOT = script(
    "import hashlib, os, stat\n"
    "from controlroom import bot\n"
    "paths = [bot.inputs.path('paper'), *bot.inputs.paths('more')]\n"
    "bot.output('found', [[p.name, hashlib.sha256(p.read_bytes()).hexdigest()] for p in paths])\n"
    "bot.output('modes', sorted({stat.S_IMODE(p.stat().st_mode) for p in paths}))\n"
    "bot.output('inside', all(str(p).startswith(os.environ['CONTROLROOM_WORKSPACE']) for p in paths))\n",
    inputs={"type": "object", "properties": {"paper": FILE, "more": {"type": "array", "items": FILE}}},
)
LARGE = b"0123456789abcdef" * 200_000


@pytest.fixture(scope="module", params=["websocket", "long-poll"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "long-poll":
            patch.setattr(serving, "_CONTROLROOM", [serving.sys.executable, "-c", _REFUSE_WEBSOCKETS])
        folder: Path = tmp_path_factory.mktemp(request.param)
        roles = ("administrator", "viewer")
        with running_server(
            folder, runners=1, roles=roles, settings={**QUICK, "input_file_limit_mb": 4}
        ) as running:
            running.publish(BOT, "papers")
            yield running


def upload(client: httpx.Client, content: bytes, name: str) -> dict[str, Any]:
    answer = client.post("/api/v1/input-files", params={"name": name}, content=content)
    assert answer.status_code == 201, answer.text
    sent: dict[str, Any] = answer.json()
    return sent


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_bot_reads_the_very_files_and_they_are_had_back(server: RunningServer) -> None:
    with server.client() as client:
        first, second = upload(client, LARGE, "päper.pdf"), upload(client, b"", "PÄPER.pdf")
        assert first["sha256"] == digest(LARGE)
        body = {"bot": "papers", "inputs": {"paper": first["id"], "more": [second["id"], first["id"]]}}
        run = client.post("/api/v1/runs", json=body).raise_for_status().json()
        ended = server.wait_for_end(run["id"])
        assert ended["state"] == "succeeded", ended
        names = [name for name, _ in ended["outputs"]["found"]]
        assert [sha for _, sha in ended["outputs"]["found"]] == [digest(LARGE), digest(b""), digest(LARGE)]
        assert len({name.casefold() for name in names}) == 2
        assert ended["outputs"]["modes"] == [0o400]
        assert ended["outputs"]["inside"] is True
        status = server.folder / "runner-0" / "status.json"  # written within a second of the runner's start
        wait_for(status.exists, "the runner says how it is", seconds=30)
        transport = json.loads(status.read_text())["transport"]
        assert transport in str(server.folder)
        listed = client.get(f"/api/v1/runs/{run['id']}/files").json()
        assert [each["pointer"] for each in listed] == ["/more/0", "/more/1", "/paper"]
        back = client.get(f"/api/v1/runs/{run['id']}/files/{first['id']}/content")
        assert back.content == LARGE
        assert back.headers["content-type"] == "application/octet-stream"
        assert back.headers["content-disposition"].startswith("attachment")
        assert back.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert back.headers["x-content-type-options"] == "nosniff"
        again = client.post(f"/api/v1/runs/{run['id']}/repeat").raise_for_status().json()
        assert server.wait_for_end(again["id"])["outputs"] == ended["outputs"]
    attempts = server.folder / "runner-0" / "attempts"
    wait_for(lambda: not any(attempts.iterdir()), "the runner keeps nothing of them", seconds=30)


def test_a_stored_file_that_is_harmed_rejects_the_attempt_and_says_so(server: RunningServer) -> None:
    content = b"to be harmed"
    with server.client() as client:
        sent = upload(client, content, "a.pdf")
        blob = server.folder / "data" / "blobs" / sent["sha256"][:2] / sent["sha256"][2:]
        blob.write_bytes(b"harmed")
        run = client.post("/api/v1/runs", json={"bot": "papers", "inputs": {"paper": sent["id"]}}).json()
        ended = server.wait_for_end(run["id"])
        assert ended["state"] == "rejected"
        assert "a.pdf" in ended["message"]
        answer = client.get(f"/api/v1/runs/{run['id']}/files/{sent['id']}/content")
        assert answer.status_code == 409


def test_errors_of_the_api_are_at_their_fields(server: RunningServer) -> None:
    with server.client() as client, server.client("viewer") as viewer:
        wrong = client.post(
            "/api/v1/runs", json={"bot": "papers", "inputs": {"more": ["fil_" + "0" * 26, "x"]}}
        )
        assert wrong.status_code == 422
        pointers = [each["pointer"] for each in wrong.json()["errors"]]
        assert pointers == ["/inputs/more/1"]
        assert client.post("/api/v1/input-files", params={"name": "../x"}, content=b"x").status_code == 422
        assert client.post("/api/v1/input-files", params={"name": "x"}, files={"f": b"x"}).status_code == 422
        large = client.post("/api/v1/input-files", params={"name": "x"}, content=b"x" * 5_000_000)
        assert large.status_code == 413
        assert viewer.post("/api/v1/input-files", params={"name": "x"}, content=b"x").status_code == 403
        sent = upload(client, b"mine", "mine.txt")
        assert client.get("/api/v1/input-files").json()[0]["id"] == sent["id"]
        assert client.delete(f"/api/v1/input-files/{sent['id']}").status_code == 204
        assert client.delete(f"/api/v1/input-files/{sent['id']}").status_code == 404


def test_a_runners_key_opens_no_file_without_its_attempt(server: RunningServer) -> None:
    with server.client() as client:
        sent = upload(client, b"secret", "a.pdf")
    identity = json.loads((server.folder / "runner-0" / "identity.json").read_text())
    headers = {"Authorization": f"Bearer {identity['key']}", "X-Attempt-Token": "guess"}
    path = f"{server.url}/runner/v1/attempts/att_1/files/{sent['id']}"
    assert httpx.get(path, headers=headers, trust_env=False).status_code == 403
    assert httpx.get(path, trust_env=False).status_code == 401


def test_the_command_uploads_asks_and_fetches(
    server: RunningServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Command,  # noqa: F811
) -> None:
    monkeypatch.setenv("CONTROLROOM_URL", server.url)
    monkeypatch.setenv("CONTROLROOM_API_KEY", server.keys["administrator"])
    one, two = tmp_path / "one.pdf", tmp_path / "two.pdf"
    one.write_bytes(b"one")
    two.write_bytes(b"two")
    options = ["-i", f"paper=@{one}", "-i", f"more=@{two}", "-i", f"more=@{one}"]
    done = command("run", "start", "papers", *options, "--wait", "--json")
    assert done.code == 0, done.err
    run = json.loads(done.out)
    assert [sha for _, sha in run["outputs"]["found"]] == [digest(b"one"), digest(b"two"), digest(b"one")]
    fetched = command("run", "files", run["id"], "--download", str(tmp_path / "back"), "--json")
    assert fetched.code == 0, fetched.err
    assert {path.read_bytes() for path in (tmp_path / "back").iterdir()} == {b"one", b"two"}
    (tmp_path / "inputs.json").write_text(json.dumps({"more": [f"@{two}"]}))
    from_file = command("run", "start", "papers", "--inputs", str(tmp_path / "inputs.json"), "--json")
    assert from_file.code == 0, from_file.err
    assert json.loads(from_file.out)["inputs"]["more"][0].startswith("fil_")
    missing = command("run", "start", "papers", "-i", "paper=@/nowhere/x.pdf")
    assert (missing.code, "/nowhere/x.pdf" in missing.err) == (2, True)
