"""`controlroom up` for real: first start, a fall of the server, Ctrl-C, and a second start that goes on."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from controlroom.cli.client import load_profile
from serving import free_port, script, wait_for

_SECONDS = 60


@dataclass
class Started:
    """A running `controlroom up`."""

    process: subprocess.Popen[str]
    output: Path
    url: str

    def said(self) -> str:
        return self.output.read_text()

    def child(self, name: str) -> psutil.Process | None:
        """Return the process of the server or the runner."""
        for child in psutil.Process(self.process.pid).children():
            if child.status() != psutil.STATUS_ZOMBIE and child.cmdline()[3:5] == [name, "start"]:
                return child
        return None

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=2, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def stop(self) -> list[psutil.Process]:
        """Press Ctrl-C and return the processes that are left of the whole tree."""
        tree = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(_SECONDS) == 0
        return psutil.wait_procs(tree, timeout=5)[1]


def environment(folder: Path, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONTROLROOM_")}
    return {
        **kept,
        "CONTROLROOM_DATA_FOLDER": str(folder / "data"),
        "CONTROLROOM_PROFILE": str(folder / "profile.json"),
        "CONTROLROOM_PORT": str(port),
    }


@contextmanager
def up(folder: Path, port: int, *arguments: str) -> Iterator[Started]:
    output = folder / "output.txt"
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "controlroom.cli", "up", *arguments],
            env=environment(folder, port),
            stdout=file,
            stderr=file,
            text=True,
            start_new_session=True,
        )
    started = Started(process, output, f"http://127.0.0.1:{port}")
    tree: list[psutil.Process] = []
    try:
        yield started
    finally:
        if process.poll() is None:
            tree = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            process.wait()
        for left in tree:
            if left.is_running():
                left.kill()


@pytest.mark.timeout(240)
def test_everything_starts_stands_up_again_ends_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = tmp_path / "examples" / "counting"
    bot.mkdir(parents=True)
    (bot / "counting.py").write_text(script("print('counted')", name="Counting"))
    port = free_port()
    with up(tmp_path, port, "--examples", str(tmp_path / "examples")) as first:
        wait_for(
            lambda: "Ctrl-C stops everything" in first.said(), "the first start is done", seconds=_SECONDS
        )
        said = first.said()
        assert "Counting ran and succeeded" in said
        assert re.search(r"Sign in as admin with the password \S{12,}", said)
        server, runner = first.child("server"), first.child("runner")
        assert server is not None
        assert runner is not None
        server.kill()
        wait_for(
            lambda: (now := first.child("server")) is not None and now.pid != server.pid and first.is_ready(),
            "the server stands again",
            seconds=_SECONDS,
        )
        assert "The server ended with code -9" in first.said()
        assert first.stop() == []
    with up(tmp_path, port) as second:
        wait_for(lambda: "as you left it" in second.said(), "the second start is done", seconds=_SECONDS)
        assert "password" not in second.said()
        monkeypatch.setenv("CONTROLROOM_PROFILE", str(tmp_path / "profile.json"))
        profile = load_profile()
        assert profile is not None
        headers = {"Authorization": f"Bearer {profile.api_key}"}
        runs = httpx.get(f"{second.url}/api/v1/runs", headers=headers, timeout=10, trust_env=False).json()[
            "items"
        ]
        assert [(run["bot_name"], run["state"]) for run in runs] == [("Counting", "succeeded")]
        devices = httpx.get(
            f"{second.url}/api/v1/devices", headers=headers, timeout=10, trust_env=False
        ).json()
        assert len(devices["items"]) == 1
        assert second.stop() == []


@pytest.mark.timeout(240)
def test_a_free_port_is_taken_and_said_and_the_next_start_moves_runner_and_commands_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTROLROOM_PROFILE", str(tmp_path / "profile.json"))
    addresses: list[str] = []
    for _ in range(2):
        with up(tmp_path, 0) as started:
            wait_for(
                lambda: "Ctrl-C stops everything" in started.said(), "the start is done", seconds=_SECONDS
            )
            (started.url,) = re.findall(r"Control Room is at (\S+)", started.said())
            addresses.append(started.url)
            assert started.is_ready()
            profile = load_profile()
            assert profile is not None
            assert profile.url == started.url
            with httpx.Client(
                base_url=f"{profile.url}/api/v1",
                headers={"Authorization": f"Bearer {profile.api_key}"},
                trust_env=False,
            ) as client:
                wait_for(
                    lambda: client.get("/devices").json()["items"][0]["connected_at"] is not None,
                    "the runner is connected",
                    seconds=_SECONDS,
                )
            assert started.stop() == []
    assert not any(address.endswith(":0") for address in addresses)


def refused(folder: Path, port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "controlroom.cli", "up"],
        env=environment(folder, port),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = refused(tmp_path, port)
    assert answer.returncode == 1
    assert answer.stderr.strip().splitlines() == [
        f"The port is taken. Port {port} of 127.0.0.1 is taken by another program; stop it, or choose another with CONTROLROOM_PORT."
    ]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, where a folder should be")
    answer = refused(tmp_path, free_port())
    assert answer.returncode == 3
    (line,) = answer.stderr.strip().splitlines()
    assert str(tmp_path / "data") in line
    assert "CONTROLROOM_DATA_FOLDER" in line
