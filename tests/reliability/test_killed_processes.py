"""No run is lost, doubled or left as a zombie while server and runners are killed at random and started again."""

import asyncio
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from controlroom.foundation.database import Database
from controlroom.runs.models import Attempt, HistoryKind, Run, RunHistory
from controlroom.runs.states import ACTIVE, ENDED, RUN_TRANSITIONS, State
from servers.postgresql import PostgresqlServer
from serving import RunningServer, running_server, script, wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

LEDGER_BOT = script(
    """
import os, time
from controlroom import bot

def note(what):
    line = f"{what} {bot.run.run_id} {bot.run.attempt_id} {bot.run.attempt}\\n"
    ledger = os.open(bot.inputs["ledger"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(ledger, line.encode())
    os.close(ledger)

note("start")
print("working")
time.sleep(bot.inputs["seconds"])
note("end")
bot.output("attempt", bot.run.attempt_id)
""",
    inputs={"ledger": {"type": "string"}, "seconds": {"type": "number"}},
    exclusive=True,
)
RETRY = {"on": "loss", "count": 50, "backoff_seconds": 0.1, "backoff_limit_seconds": 1}


@dataclass(frozen=True)
class Line:
    """One line of the ledger."""

    what: str
    run_id: str
    attempt_id: str
    number: int


@dataclass
class Story:
    """All that the database says of the runs."""

    runs: Sequence[Run]
    attempts: dict[str, list[Attempt]]
    history: dict[str, list[RunHistory]]


def test_no_run_is_lost_or_doubled_on_sqlite(tmp_path: Path) -> None:
    chaos(tmp_path, runs=50, kills=8, seed=20_260_101)


@pytest.mark.postgresql
def test_no_run_is_lost_or_doubled_on_postgresql(tmp_path: Path, postgresql: PostgresqlServer) -> None:
    postgresql.execute("CREATE DATABASE killed_processes")
    try:
        chaos(tmp_path, runs=10, kills=3, seed=7, database_url=postgresql.url("killed_processes"))
    finally:
        postgresql.execute("DROP DATABASE killed_processes WITH (FORCE)")


def chaos(folder: Path, *, runs: int, kills: int, seed: int, database_url: str = "") -> None:
    """Request runs and kill processes by a seeded plan, then audit all that was left."""
    print(f"seed {seed}")  # shown by pytest where the test fails
    chance, ledger = Random(seed), folder / "ledger"
    with running_server(folder, runners=2, slots=3, database_url=database_url) as room:
        bot = room.publish(LEDGER_BOT, "ledger")["bot"]["id"]
        requested: list[str] = []
        for kill in range(kills):
            for number in range(len(requested), runs * (kill + 1) // kills):
                requested.append(_request(room, bot, ledger, chance, number))
            time.sleep(chance.uniform(0.1, 1.2))  # the moment of the kill is what the test varies
            _kill_and_start(room, chance)
        story_end = [room.wait_for_end(run_id, seconds=90) for run_id in requested]
        wait_for(lambda: not room.bot_processes(), "every bot process has ended", seconds=15)
        _verify_audit(room)
        data = room.settings
    url = database_url or f"sqlite+aiosqlite:///{data['CONTROLROOM_DATA_FOLDER']}/controlroom.db"
    story = asyncio.run(_read(url))
    assert sorted(run.id for run in story.runs) == sorted(requested)
    assert Counter(run["state"] for run in story_end) == Counter(run.state for run in story.runs)
    _audit_histories(story)
    _audit_ledger(story, _read_ledger(ledger))
    assert any(len(attempts) > 1 for attempts in story.attempts.values()), "no kill hit a run: not a test"


def _request(room: RunningServer, bot: str, ledger: Path, chance: Random, number: int) -> str:
    """Ask for a run until the answer comes; the idempotency key makes one run of several asks."""
    body = {
        "bot": bot,
        "inputs": {"ledger": str(ledger), "seconds": round(chance.uniform(0.05, 1.0), 2)},
        "retry": RETRY,
        "idempotency_key": f"ledger-{number}",
    }
    answers: list[dict[str, Any]] = []

    def asked() -> bool:
        try:
            with room.client() as client:
                answers.append(client.post("/api/v1/runs", json=body).raise_for_status().json())
        except httpx.TransportError:
            return False
        return True

    wait_for(asked, "the request is answered", seconds=30)
    return str(answers[-1]["id"])


def _kill_and_start(room: RunningServer, chance: Random) -> None:
    victim = chance.choice(["server", 0, 1, "all"])
    runners = [0, 1] if victim == "all" else [victim] if isinstance(victim, int) else []
    if victim in ("server", "all"):
        room.kill_server()
    for number in runners:
        room.kill_runner(number)
    time.sleep(chance.choice([0, 0, 0.3, 4.0 if chance.random() < 0.4 else 0.1]))  # some outlast a lease
    for number in runners:
        room.start_runner(number)
    if room.server is None:
        room.start_server()


def _verify_audit(room: RunningServer) -> None:
    command = [sys.executable, "-m", "controlroom.cli", "audit", "verify"]
    said = subprocess.run(
        command, env=room.environment(), check=False, capture_output=True, text=True, timeout=60
    )
    assert said.returncode == 0, said.stdout + said.stderr


async def _read(url: str) -> Story:
    database = Database(url)
    story = Story([], defaultdict(list), defaultdict(list))
    try:
        async with database.read() as session:
            story.runs = (await session.scalars(select(Run))).all()
            for attempt in await session.scalars(select(Attempt).order_by(Attempt.number)):
                story.attempts[attempt.run_id].append(attempt)
            for line in await session.scalars(select(RunHistory).order_by(RunHistory.id)):
                story.history[line.run_id].append(line)
    finally:
        await database.close()
    return story


def _audit_histories(story: Story) -> None:
    for run in story.runs:
        states = [line.state for line in story.history[run.id] if line.kind is HistoryKind.STATE]
        said = f"{run.id}: {[state and state.value for state in states]}"
        assert run.state is State.SUCCEEDED, f"{said} {run.message}"
        assert states[0] is State.QUEUED, said
        assert states[-1] is run.state, said
        for before, after in pairwise(states):
            assert before is not None, said
            assert after in RUN_TRANSITIONS[before], said
        assert sum(state in ENDED for state in states) == 1, said
        attempts = story.attempts[run.id]
        assert [attempt.number for attempt in attempts] == list(range(1, len(attempts) + 1)), said
        assert run.attempt_count == len(attempts), said
        assert not [attempt for attempt in attempts if attempt.state in ACTIVE], said
        assert [attempt.state for attempt in attempts if attempt.state is not State.LOST] == [run.state], said
        assert attempts[-1].state is State.SUCCEEDED, said
        assert run.outputs == {"attempt": attempts[-1].id}, said
        for earlier, later in pairwise(attempts):
            assert earlier.ended_at is not None, said
            assert earlier.ended_at <= later.assigned_at, said


def _read_ledger(path: Path) -> list[Line]:
    lines: list[Line] = []
    for text in path.read_text().splitlines():
        what, run_id, attempt_id, number = text.split()
        lines.append(Line(what, run_id, attempt_id, int(number)))
    return lines


def _audit_ledger(story: Story, lines: Sequence[Line]) -> None:
    assert max(Counter((line.what, line.attempt_id) for line in lines).values()) == 1, "an attempt ran twice"
    by_run: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_run[line.run_id].append(line)
    known = {attempt.id for attempts in story.attempts.values() for attempt in attempts}
    assert {line.attempt_id for line in lines} <= known
    for run in story.runs:
        told = by_run[run.id]
        assert [line.what for line in told if line.attempt_id == run.attempt_id] == ["start", "end"]
        # The numbers never go back: once an attempt has written, none before it writes again.
        assert [line.number for line in told] == sorted(line.number for line in told), (
            f"attempts overlap: {told}"
        )
