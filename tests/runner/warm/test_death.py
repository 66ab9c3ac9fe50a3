"""Hosts, bots and runners that are killed leave no process behind."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from controlroom.protocol.messages import Outcome
from controlroom.protocol.plan import EnvironmentKind, EnvironmentSpec
from controlroom.runner.execution import end_leftovers
from runner.execution.harness import Lab, until_gone
from runner.warm import harness_runner

TESTS = Path(__file__).parents[2]


def hosts_of(pid: int) -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(pid).children()
        if any("host.py" in word for word in child.cmdline())
    ]


def host_of(bot: int) -> psutil.Process:
    keeper = psutil.Process(bot).parent()
    assert keeper is not None
    host = keeper.parent()
    assert host is not None
    return host


async def test_bot_outlives_its_host_and_the_next_gets_a_new_one(lab: Lab) -> None:
    trial = lab.trial(
        "import os, time\nprint('up')\nwhile not os.path.exists('go'): time.sleep(0.005)\nprint('end')"
    )
    running = asyncio.create_task(trial.run())
    await trial.sink.until_line("up")
    host = host_of(trial.sink.started.pid)

    host.kill()
    await until_gone(host.pid)
    (trial.workspace / "package/go").touch()
    await running
    after = await lab.run("print('fine')")

    assert trial.sink.out == ["up", "end"]
    assert trial.sink.ended.outcome is Outcome.SUCCEEDED
    assert after.sink.started.warm
    assert after.sink.out == ["fine"]


async def test_cold_start_survives_the_death_of_its_host(lab: Lab) -> None:
    for host in hosts_of(os.getpid()):
        host.kill()
        await until_gone(host.pid)

    trial = await lab.run("print('fine')")

    assert trial.sink.out == ["fine"]


async def test_environment_that_starts_threads_is_started_cold_with_the_reason(lab: Lab) -> None:
    code = "import threading, time; threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()"
    write = f"import sysconfig, pathlib; pathlib.Path(sysconfig.get_path('purelib'), 'threads.pth').write_text({code!r})"
    spec = EnvironmentSpec(EnvironmentKind.REQUIREMENTS, post_install=(f'python -c "{write}"',))

    trial = await lab.run("print('fine')", environment=spec)

    assert trial.sink.out == ["fine"]
    assert not trial.sink.started.warm
    assert "threads in every interpreter" in trial.sink.started.note


@pytest.mark.parametrize("signal_name", ["SIGKILL", "SIGTERM"])
async def test_runner_that_dies_takes_bots_children_daemons_and_hosts_along(
    state_folder: Path, tmp_path: Path, signal_name: str
) -> None:
    runner = subprocess.Popen(
        [sys.executable, harness_runner.__file__, str(state_folder), str(tmp_path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
    )
    try:
        assert runner.stdout is not None
        said = json.loads(await asyncio.to_thread(runner.stdout.readline))
        pids = [pid for group in said["pids"] for pid in group]
        hosts = [host.pid for host in hosts_of(runner.pid)]
        assert len(pids) == 8
        assert len(hosts) >= 2

        getattr(runner, "kill" if signal_name == "SIGKILL" else "terminate")()
        runner.wait()

        await until_gone(*pids, *hosts)
        for workspace in said["workspaces"]:
            await end_leftovers(Path(workspace))
    finally:
        runner.kill()
        runner.wait()


async def test_next_runner_ends_what_even_a_killed_keeper_left(state_folder: Path, tmp_path: Path) -> None:
    runner = subprocess.Popen(
        [sys.executable, harness_runner.__file__, str(state_folder), str(tmp_path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
    )
    assert runner.stdout is not None
    said = json.loads(await asyncio.to_thread(runner.stdout.readline))
    everything = [
        runner.pid,
        *(process.pid for process in psutil.Process(runner.pid).children(recursive=True)),
    ]
    bots = [pid for group in said["pids"] for pid in group[:3]]
    keepers = [group[3] for group in said["pids"]]
    # The worst case: runner, hosts and keepers die at one stroke, so that nobody is left to clean up.
    victims = [pid for pid in everything if pid not in bots]
    for pid in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(pid).suspend()
    for pid in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()
    runner.wait()
    await until_gone(*keepers)

    for workspace in said["workspaces"]:
        await end_leftovers(Path(workspace))

    sessions = [pid for group in said["pids"] for pid in group[:2]]
    cold_daemon = said["pids"][1][2]
    await until_gone(*sessions, cold_daemon)
    for pid in bots:
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()


async def test_leftovers_of_a_folder_that_has_none_are_no_fault(tmp_path: Path) -> None:
    (tmp_path / "control").mkdir()
    (tmp_path / "control/processes.json").write_text('{"not": "pids"}')

    await end_leftovers(tmp_path)
    await end_leftovers(tmp_path / "nowhere")
