"""Damaged, locked and full storage: said in words, survived, and nothing lost."""

import hashlib
import os
import resource
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from bad_input.conftest import Stocked
from bad_input.fake_runner import FakeRunner
from bots.building import zip_of
from controlroom.protocol import wire
from controlroom.protocol.messages import Ended, Outcome, StartAttempt, Started
from controlroom.protocol.messages import Report as RunnerReport
from serving import RunningServer, package_of, running_server, script, wait_for

pytestmark = pytest.mark.timeout(150)

_LOCKED_SECONDS = 30
_DISK_BYTES = 3_000_000
ZIP = {"Content-Type": "application/zip"}


# A damaged blob.


def _damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "words"), [(_damage, "no longer has that SHA-256"), (Path.unlink, "missing")]
)
def test_a_damaged_package_rejects_its_runs_in_words_and_no_others(
    stocked: Stocked, harm: Callable[[Path], None], words: str
) -> None:
    room = stocked.room
    content = package_of(script(f"print({words!r})"), "damaged")
    published = _publish(room, content).raise_for_status().json()
    sha256 = published["version"]["sha256"]
    bot = published["bot"]["id"]
    harm(room.folder / "data" / "blobs" / sha256[:2] / sha256[2:])

    run = room.wait_for_end(_request(room, bot))
    assert run["state"] == "rejected"
    assert words in run["message"]
    with room.client() as client:
        answer = client.get(f"/api/v1/bots/{bot}/versions/{published['version']['number']}/package")
    assert answer.status_code in (404, 503)
    assert words in answer.json()["detail"]
    assert room.wait_for_end(_request(room, "stocked"))["state"] == "succeeded"

    _publish(room, content).raise_for_status()
    assert room.wait_for_end(_request(room, bot))["state"] == "succeeded", "publishing again mends it"


# A locked database.


def test_a_locked_database_is_waited_for_or_said_and_loses_nothing(stocked: Stocked) -> None:
    room = stocked.room
    patient = script("import time\nfor n in range(30):\n    print(n, flush=True)\n    time.sleep(0.1)\n")
    room.publish(patient, "patient")
    with room.client() as client:
        running = _request(room, "patient")
        wait_for(
            lambda: client.get(f"/api/v1/runs/{running}").json()["state"] == "running", "it runs", seconds=30
        )
        body = {"bot": "patient", "idempotency_key": "while locked"}
        with _locked(room.folder / "data" / "controlroom.db"):
            refused = client.post("/api/v1/runs", json=body)
            assert client.get(f"/api/v1/runs/{running}").status_code == 200, "reading goes on"
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        assert "busy" in refused.json()["detail"]
        again = client.post("/api/v1/runs", json=body).raise_for_status().json()
        for run_id in (running, again["id"]):
            run = room.wait_for_end(run_id)
            assert run["state"] == "succeeded", run["message"]
            assert len(run["attempts"]) == 1, "a run was lost though its runner never was"
            log = client.get(f"/api/v1/attempts/{run['attempt_id']}/log").json()
            assert [line["text"] for line in log["lines"] if line["stream"] == "out"] == [
                str(n) for n in range(30)
            ]
        runs = client.get("/api/v1/runs", params={"limit": 100}).raise_for_status().json()["items"]
        assert sum(run["bot_name"] == "patient" for run in runs) == 2


def test_a_database_locked_for_30_seconds_is_said_and_loses_nothing(stocked: Stocked) -> None:
    """Changes are refused in words for all of the time, reading goes on, and what bots report meanwhile comes after."""
    room = stocked.room
    source = "import time\nfrom controlroom import bot\nfor n in range(100):\n    print(n, flush=True)\n    time.sleep(0.1)\n"
    room.publish(script(source + "bot.output('counted', 100)\n"), "counting")
    with room.client() as client:
        running = _request(room, "counting")
        wait_for(
            lambda: client.get(f"/api/v1/runs/{running}").json()["state"] == "running", "it runs", seconds=30
        )
        server, begun = room.server, time.monotonic()
        refused: list[httpx.Response] = []
        with _locked(room.folder / "data" / "controlroom.db"):
            while time.monotonic() < begun + _LOCKED_SECONDS:
                key = f"locked {len(refused)}"
                refused.append(client.post("/api/v1/runs", json={"bot": "counting", "idempotency_key": key}))
                shown = client.get(f"/api/v1/runs/{running}").raise_for_status().json()
                assert shown["state"] == "running", "nothing is said that is not known"
        assert {answer.status_code for answer in refused} == {503}
        for answer in refused:
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.json()["code"] == "unavailable"
            assert "busy" in answer.json()["detail"]
        run = room.wait_for_end(running)
        assert run["state"] == "succeeded", run["message"]
        assert run["outputs"] == {"counted": 100}
        assert len(run["attempts"]) == 1, "its runner was there all the time"
        log = client.get(f"/api/v1/attempts/{run['attempt_id']}/log").json()
        assert [line["text"] for line in log["lines"] if line["stream"] == "out"] == [
            str(n) for n in range(100)
        ]
        asked = client.get("/api/v1/runs", params={"filter": "bot:counting"}).raise_for_status().json()
        assert [each["id"] for each in asked["items"]] == [running], "what was refused was not done"
    assert room.server is server
    assert server is not None
    assert server.poll() is None
    assert "Traceback" not in room.log_of("server")


def test_a_runner_that_was_taken_for_gone_while_it_was_there_is_told_to_connect_anew(
    stocked: Stocked,
) -> None:
    runner = FakeRunner(stocked.room, "taken for gone")
    with runner.link() as link:
        path = stocked.room.folder / "data" / "controlroom.db"
        with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
            change = (
                "UPDATE devices SET connected_at = NULL, node_id = NULL, connection_id = NULL WHERE id = ?"
            )
            connection.execute(change, (runner.identity["device_id"],))
        assert "connect anew" in link.hear_refusal().reason


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the one write lock of an SQLite database, as a backup program or a stuck process would."""
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")


# A full disk.


@contextmanager
def _small_disk(folder: Path) -> Iterator[Callable[[], None] | None]:
    """Make a folder lie on a tiny disk, or, where that is not allowed, give what limits a process's files instead."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(folder)]
    if os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        try:
            yield None
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
    else:
        yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (_DISK_BYTES, _DISK_BYTES))


def test_a_full_disk_is_said_and_survived(tmp_path: Path) -> None:
    blobs = tmp_path / "data" / "blobs"
    with _small_disk(blobs) as limit, running_server(tmp_path) as room:
        if limit is not None:
            room.kill_server()
            room.start_server(before=limit)
        room.publish(script("print('small')"), "small")
        large = os.urandom(_DISK_BYTES + 500_000)
        files: dict[str, str | bytes] = {
            "controlroom.toml": 'name = "large"\n',
            "main.py": "",
            "requirements.txt": "",
            "data": large,
        }
        _says_it_is_full(_publish(room, zip_of(files)))
        runner = FakeRunner(room, "with artifacts")
        with runner.link() as link, runner.http() as client:
            run_id = _request(room, "small")
            plan = link.hear(StartAttempt).plan
            link.say(RunnerReport(plan.attempt_id, plan.token, 1, Started(time.time(), False, "env", 1)))
            headers = {wire.TOKEN_HEADER: plan.token}
            folder = wire.ARTIFACT_PATH.format(attempt_id=plan.attempt_id)
            refused = client.put(f"{folder}/{_hash(large)}", headers=headers, content=large)
            _says_it_is_full(refused)
            assert list((blobs / "incoming").iterdir()) == [], "nothing half written is left"
            taken = client.put(f"{folder}/{_hash(b'small')}", headers=headers, content=b"small")
            assert taken.status_code == 204
            end = Ended(time.time(), Outcome.SUCCEEDED, 0)
            link.say(RunnerReport(plan.attempt_id, plan.token, 2, end))
            assert room.wait_for_end(run_id)["state"] == "succeeded"
        assert room.publish(script("print('after')"), "after")["created"] is True
        assert "Traceback" not in room.log_of("server")


_RUNNER_DISK_BYTES = 40_000_000
FILLING = """
import os
from controlroom import bot
path, written = os.path.join(os.environ["CONTROLROOM_ARTIFACTS"], "large"), 0
with open(path, "wb", buffering=0) as file:
    try:
        while True:
            written += file.write(bytes(65536))
    except OSError as error:
        print(error.strerror, flush=True)
for number in range(20_000):
    print("a line for which there is no room", number)
bot.output("written", written > 1_000_000)
"""


def test_a_bot_that_fills_the_runners_disk_is_told_apart_and_the_next_one_runs(tmp_path: Path) -> None:
    """Artifacts, log and the runner's own files lie on one tiny disk, first filled by a bot and then by others."""
    disk = tmp_path / "runner-0"
    with _tiny_disk(disk), running_server(tmp_path, runners=1) as room, room.client() as client:
        room.publish(script("print('fine')"), "modest")
        assert room.wait_for_end(_request(room, "modest"))["state"] == "succeeded"
        room.publish(script(FILLING), "filling")
        run = room.wait_for_end(_request(room, "filling"))
        assert (run["state"], run["outputs"]) == ("failed", {"written": True})
        assert "disk is full" in run["message"]
        log = client.get(f"/api/v1/attempts/{run['attempt_id']}/log", params={"search": "disk takes no more"})
        assert log.json()["lines"], "the log says why lines are missing"
        assert room.wait_for_end(_request(room, "modest"))["state"] == "succeeded", "it cleared up"

        runner = room.runners[0]
        with _filled(disk):
            run = room.wait_for_end(_request(room, "modest"))
            assert run["state"] == "rejected"
            assert "disk is full" in run["message"]
        assert runner.poll() is None
        run = room.wait_for_end(_request(room, "modest"))
        assert run["state"] == "succeeded", run["message"]
        assert "Traceback" not in room.log_of("runner-0")


@contextmanager
def _tiny_disk(folder: Path) -> Iterator[None]:
    """Mount a disk of its own for a folder; skip where that is not allowed, unless tests may skip nothing."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_RUNNER_DISK_BYTES}", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, check=False, text=True)
    if done.returncode != 0:
        assert os.environ.get("CONTROLROOM_TEST_SERVERS") != "required", done.stderr
        pytest.skip("mounting a small disk is not allowed here; run the tests as root")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def _filled(disk: Path) -> Iterator[None]:
    path = disk / "someone else's file"
    try:
        with suppress(OSError), path.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield
    finally:
        path.unlink()


def _says_it_is_full(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    detail = answer.json()["detail"]
    assert "full" in detail or "cannot be written" in detail


def _publish(room: RunningServer, content: bytes) -> httpx.Response:
    with room.client() as client:
        return client.post("/api/v1/bots", content=content, headers=ZIP)


def _request(room: RunningServer, bot: str) -> str:
    with room.client() as client:
        answer: Any = client.post("/api/v1/runs", json={"bot": bot}).raise_for_status().json()
    return str(answer["id"])


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
