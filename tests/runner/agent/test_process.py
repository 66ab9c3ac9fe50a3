"""The runner as a real process, started from the command line, running real bots, killed and stopped."""

import asyncio
import io
import json
import os
import signal
import stat
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from controlroom.protocol.messages import CancelAttempt, Ended, Outcome, Started
from controlroom.protocol.records import Stream
from controlroom.runner.identity import Identity, save_identity
from runner.link.control_room import KEY, ControlRoom, make_plan, serve

COMMAND = (sys.executable, "-c", "from controlroom.cli import main; main()", "runner")
IDLE_LIMIT_BYTES = 80 * 1024 * 1024

COUNTING = """
import os, pathlib
artifacts = pathlib.Path(os.environ["CONTROLROOM_ARTIFACTS"])
for number in range(5):
    print("line", number)
print(os.environ["CONTROLROOM_URL"])
(artifacts / "result.txt").write_text("42")
"""
WAITING = """
import os, pathlib, time
pathlib.Path({mark!r}).write_text(str(os.getpid()))
print("waiting", flush=True)
time.sleep(600)
"""


def package(source: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("main.py", source)
    return buffer.getvalue()


def run(
    state: Path, *arguments: str, environment: dict[str, str] | None = None, given: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env={**os.environ, "CONTROLROOM_RUNNER_STATE": str(state), **(environment or {})},
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@asynccontextmanager
async def started(state: Path, room: ControlRoom) -> AsyncIterator[asyncio.subprocess.Process]:
    before = len(room.hellos)
    with (state.parent / "runner.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "start", "--state", str(state), "--slots", "2", stdout=log, stderr=log
        )
    try:
        await room.until(lambda: len(room.hellos) > before)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
async def room() -> AsyncIterator[ControlRoom]:
    async with serve(ControlRoom()) as served:
        yield served


@pytest.fixture
def state(tmp_path: Path, room: ControlRoom) -> Path:
    folder = tmp_path / "state"
    save_identity(folder, Identity(room.url, "dev_1", "test", KEY))
    return folder


async def assign(room: ControlRoom, attempt_id: str, source: str) -> None:
    content = package(source)
    plan = make_plan(attempt_id, content)
    room.packages[plan.package_sha256] = content
    await room.assign(plan)


async def ended(room: ControlRoom, attempt_id: str) -> Ended:
    await room.until(lambda: room.attempt(attempt_id).closed)
    found = room.attempt(attempt_id).ended
    assert found is not None
    return found


async def test_joining_starting_running_and_stopping(room: ControlRoom, tmp_path: Path) -> None:
    room.join_tokens = {"crj_one"}
    state = tmp_path / "state"
    joined = await asyncio.to_thread(
        run,
        state,
        "join",
        room.url,
        "--token",
        "-",
        "--name",
        "robot-7",
        "--label",
        "excel",
        given="crj_one\n",
    )
    assert joined.returncode == 0, joined.stderr
    assert "robot-7" in joined.stdout
    assert stat.S_IMODE((state / "identity.json").stat().st_mode) == 0o600
    assert room.join_requests[0].labels == ("excel",)

    async with started(state, room) as process:
        await assign(room, "att_1", COUNTING)
        end = await ended(room, "att_1")
        assert end.outcome is Outcome.SUCCEEDED, end.message
        lines = [record.text for record in room.attempt("att_1").log if record.stream is Stream.STDOUT]
        assert lines == [*(f"line {number}" for number in range(5)), room.url]
        assert b"42" in room.artifacts.values()
        assert room.hellos[-1].labels == ("excel",)

        async with asyncio.timeout(30):  # what the runner says of itself follows its link by a moment
            while (shown := await asyncio.to_thread(run, state, "status", "--json")).returncode != 0:
                assert json.loads(shown.stdout)["process"] == "running"
        second = await asyncio.to_thread(run, state, "start")
        assert second.returncode != 0
        assert "already" in second.stderr

        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
        await room.until(lambda: room.goodbyes)
    stopped = await asyncio.to_thread(run, state, "status")
    assert stopped.returncode == 1
    left = await asyncio.to_thread(run, state, "leave")
    assert left.returncode == 0
    assert not (state / "identity.json").exists()


async def test_a_killed_runner_comes_back_ends_the_bot_and_says_so(
    room: ControlRoom, state: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    async with started(state, room) as process:
        await assign(room, "att_1", WAITING.format(mark=str(mark)))
        await room.until(lambda: any(record.text == "waiting" for record in room.attempt("att_1").log))
        bot = psutil.Process(int(mark.read_text()))
        process.kill()
        await process.wait()
    async with started(state, room):
        end = await ended(room, "att_1")

        assert (end.outcome, end.message) == (Outcome.LOST, "The Bot Runner was stopped while the bot ran.")
        assert not bot.is_running() or bot.status() == psutil.STATUS_ZOMBIE
        assert sum(isinstance(body, Started) for body in room.attempt("att_1").bodies) == 1


async def test_a_clean_stop_ends_the_bot_and_delivers_its_end(
    room: ControlRoom, state: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    async with started(state, room) as process:
        await assign(room, "att_1", WAITING.format(mark=str(mark)))
        await room.until(lambda: any(record.text == "waiting" for record in room.attempt("att_1").log))
        bot = psutil.Process(int(mark.read_text()))
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 30) == 0

        end = await ended(room, "att_1")
        assert (end.outcome, end.message) == (Outcome.LOST, "The Bot Runner was stopped.")
        assert not bot.is_running() or bot.status() == psutil.STATUS_ZOMBIE


async def test_a_cancelled_bot_ends_with_its_tree(room: ControlRoom, state: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with started(state, room):
        await assign(room, "att_1", WAITING.format(mark=str(mark)))
        await room.until(lambda: any(record.text == "waiting" for record in room.attempt("att_1").log))
        room.say(CancelAttempt("att_1", 0.2, reason="Enough."))
        assert (await ended(room, "att_1")).outcome is Outcome.CANCELLED


async def test_an_idle_runner_is_small(room: ControlRoom, state: Path) -> None:
    async with started(state, room) as process:
        beats = len(room.heartbeats)
        await room.until(lambda: len(room.heartbeats) > beats + 3)
        assert psutil.Process(process.pid).memory_info().rss < IDLE_LIMIT_BYTES


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "words"),
    [
        (["join", "ftp://x", "--token", "t"], {}, 2, "not the address"),
        (["join", "http://127.0.0.1:9"], {}, 2, "join token is needed"),
        (["join", "http://127.0.0.1:9"], {"CONTROLROOM_JOIN_TOKEN": "crj_x"}, 3, "cannot be reached"),
        (["start"], {}, 1, "Join first"),
        (["status"], {}, 1, "Join first"),
    ],
)
def test_what_cannot_be_is_one_clear_sentence(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], code: int, words: str
) -> None:
    answer = run(tmp_path / "state", *arguments, environment=environment)

    assert answer.returncode == code
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr
    assert "crj_x" not in answer.stdout + answer.stderr


async def test_a_token_that_is_not_known_is_refused(room: ControlRoom, tmp_path: Path) -> None:
    environment = {"CONTROLROOM_JOIN_TOKEN": "crj_used"}
    answer = await asyncio.to_thread(run, tmp_path / "state", "join", room.url, environment=environment)

    assert answer.returncode == 4
    assert "The token is not known." in answer.stderr
    assert not (tmp_path / "state" / "identity.json").exists()
