"""Cancel, kill, pause, time-outs and limits, with real process trees."""

import asyncio

import psutil
import pytest

from controlroom.protocol.messages import Outcome, Paused, Resumed
from controlroom.protocol.plan import Launch, Limits
from controlroom.protocol.records import Stream
from runner.execution.harness import SCRIPT, Lab, Trial, cold, command, lives, until_gone

BOTH = pytest.mark.parametrize("launch", [SCRIPT, cold()], ids=["warm", "cold"])
WAITING = """
import time
try:
    print("waiting")
    while True:
        time.sleep(60)
finally:
    print("cleaned up")
"""
STUBBORN = """
import os, signal, subprocess, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "1000"], preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN))
print(os.getpid(), child.pid, "up")
while True:
    time.sleep(60)
"""
DAEMON = """
import os, sys, time
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), "daemon", flush=True)
        os.close(writer)
        time.sleep(1000)
    os._exit(0)
os.close(writer)
os.read(reader, 1)
"""


def started(trial: Trial) -> "asyncio.Task[Trial]":
    return asyncio.create_task(trial.run())


@BOTH
async def test_polite_cancel_lets_a_bot_clean_up(lab: Lab, launch: Launch) -> None:
    trial = lab.trial(WAITING, launch=launch)
    running = started(trial)
    await trial.sink.until_line("waiting")

    await trial.execution.cancel(20, Outcome.CANCELLED, "Ana asked for it")
    await running

    assert trial.sink.ended.outcome is Outcome.CANCELLED
    assert trial.sink.ended.message == "Ana asked for it"
    assert trial.sink.out == ["waiting", "cleaned up"]
    assert trial.sink.err == []


@BOTH
async def test_bot_that_asks_is_not_interrupted(lab: Lab, launch: Launch) -> None:
    trial = lab.trial(
        """
        import time
        from controlroom import bot
        print("up", bot.cancelled())
        while not bot.cancelled():
            time.sleep(0.005)
        print("left the loop")
        """,
        launch=launch,
    )
    running = started(trial)
    await trial.sink.until_line("up False")

    await trial.execution.cancel(20, Outcome.CANCELLED, "")
    await running

    assert trial.sink.out[-1] == "left the loop"
    assert trial.sink.ended.outcome is Outcome.CANCELLED
    assert trial.sink.ended.exit_code == 0


@BOTH
async def test_stubborn_tree_is_ended_after_the_grace_time(lab: Lab, launch: Launch) -> None:
    trial = lab.trial(STUBBORN, launch=launch)
    running = started(trial)
    await trial.sink.until_line("up")
    pids = [int(word) for word in trial.sink.out[0].split()[:2]]

    await trial.execution.cancel(0.1, Outcome.CANCELLED, "")
    await running

    assert not any(lives(pid) for pid in pids)
    assert trial.sink.ended.outcome is Outcome.CANCELLED


async def test_command_is_asked_as_a_group(lab: Lab) -> None:
    trial = lab.trial(WAITING, launch=command("sh", "-c", "{python} main.py; echo after"))
    running = started(trial)
    await trial.sink.until_line("waiting")

    await trial.execution.cancel(20, Outcome.CANCELLED, "")
    await running

    assert "after" not in trial.sink.out
    assert trial.sink.ended.outcome is Outcome.CANCELLED


async def test_kill_ends_the_tree_at_once_as_lost(lab: Lab) -> None:
    trial = lab.trial(STUBBORN)
    running = started(trial)
    await trial.sink.until_line("up")
    pids = [int(word) for word in trial.sink.out[0].split()[:2]]

    await trial.execution.kill("The attempt's token is stale")

    assert not any(lives(pid) for pid in pids)
    assert running.done()
    assert trial.sink.ended.outcome is Outcome.LOST
    assert trial.sink.ended.message == "The attempt's token is stale"


async def test_stop_before_the_start_starts_nothing(lab: Lab) -> None:
    trial = lab.trial("print('never')")
    await trial.execution.cancel(10, Outcome.CANCELLED, "too late")
    await trial.run()

    assert trial.sink.ended.outcome is Outcome.CANCELLED
    assert trial.sink.out == []

    await trial.execution.cancel(10, Outcome.TIMED_OUT, "")
    await trial.execution.kill("")
    await trial.execution.pause()
    await trial.execution.resume()
    assert trial.sink.ended.outcome is Outcome.CANCELLED


@BOTH
async def test_time_out_takes_the_road_of_a_cancel(lab: Lab, launch: Launch) -> None:
    trial = await lab.run(WAITING, launch=launch, limits=Limits(timeout_seconds=1.5))

    assert trial.sink.ended.outcome is Outcome.TIMED_OUT
    assert trial.sink.ended.message == "The bot ran longer than its limit of 1.5 s."
    assert trial.sink.out[-1] == "cleaned up"


@BOTH
async def test_pause_halts_the_tree_and_resume_lets_it_go_on(lab: Lab, launch: Launch) -> None:
    trial = lab.trial(
        """
        import os, subprocess, sys, time
        child = subprocess.Popen(["sleep", "1000"])
        print(os.getpid(), child.pid, "up")
        sys.stdout.flush()
        while not os.path.exists("go"):
            time.sleep(0.005)
        child.kill()
        print("went on")
        """,
        launch=launch,
        limits=Limits(timeout_seconds=20),
    )
    running = started(trial)
    await trial.sink.until_line("up")
    pids = [int(word) for word in trial.sink.out[0].split()[:2]]

    await trial.execution.pause()
    await trial.execution.pause()
    assert {psutil.Process(pid).status() for pid in pids} == {psutil.STATUS_STOPPED}
    (trial.workspace / "package/go").touch()
    await trial.execution.resume()
    await trial.execution.resume()
    await running

    assert trial.sink.out[-1] == "went on"
    assert len(trial.sink.all(Paused)) == len(trial.sink.all(Resumed)) == 1
    assert trial.sink.ended.outcome is Outcome.SUCCEEDED


async def test_paused_bot_can_be_cancelled(lab: Lab) -> None:
    trial = lab.trial(WAITING)
    running = started(trial)
    await trial.sink.until_line("waiting")
    await trial.execution.pause()

    await trial.execution.cancel(20, Outcome.CANCELLED, "")
    await running

    assert trial.sink.out[-1] == "cleaned up"


async def test_memory_beyond_the_limit_ends_the_bot(lab: Lab) -> None:
    trial = await lab.run(
        "import time\nhoard = []\nwhile True:\n    hoard.append(bytearray(b'x' * 20_000_000))\n    time.sleep(0.01)",
        limits=Limits(memory_mb=150),
    )

    assert trial.sink.ended.outcome is Outcome.FAILED
    assert "its limit is 150 MB" in trial.sink.ended.message
    assert trial.sink.ended.usage.peak_memory_bytes > 150 * 1024 * 1024


async def test_burst_of_memory_is_an_error_inside_the_bot(lab: Lab) -> None:
    trial = await lab.run("hoard = b'x' * 8_000_000_000", limits=Limits(memory_mb=100))

    assert trial.sink.ended.error_type == "MemoryError"


async def test_processes_beyond_the_limit_end_the_bot(lab: Lab) -> None:
    trial = await lab.run(
        "import subprocess, time\nfor _ in range(8): subprocess.Popen(['sleep', '1000'])\ntime.sleep(1000)",
        limits=Limits(processes=5),
    )

    assert trial.sink.ended.outcome is Outcome.FAILED
    assert "its limit is 5" in trial.sink.ended.message


async def test_open_files_beyond_the_limit_are_an_error_inside_the_bot(lab: Lab) -> None:
    source = "held = [open('/dev/null') for _ in range(100)]"
    for launch in (SCRIPT, cold()):
        trial = await lab.run(source, launch=launch, limits=Limits(open_files=50))
        assert "Too many open files" in trial.sink.ended.message


@BOTH
async def test_daemon_left_behind_is_ended_and_named(lab: Lab, launch: Launch) -> None:
    trial = await lab.run(DAEMON, launch=launch)

    (line,) = trial.sink.out
    assert not lives(int(line.split()[0]))
    assert trial.sink.ended.outcome is Outcome.SUCCEEDED
    assert trial.sink.lines(Stream.SYSTEM)[-1].startswith(
        "The bot left processes behind, which were ended: python"
    )


async def test_keeper_that_is_killed_takes_the_bot_along(lab: Lab) -> None:
    trial = lab.trial(DAEMON + "\nprint('up')\ntime.sleep(1000)")
    running = started(trial)
    await trial.sink.until_line("up")
    daemon = int(next(line for line in trial.sink.out if "daemon" in line).split()[0])
    bot = psutil.Process(trial.sink.started.pid)

    keeper = bot.parent()
    assert keeper is not None
    keeper.kill()
    await running

    assert trial.sink.ended.outcome is Outcome.FAILED
    assert "killed from outside" in trial.sink.ended.message
    await until_gone(bot.pid, daemon)
