"""A real Control Room for a benchmark: a server process, runner processes, and a client, gone afterwards."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil

ENDED = {"succeeded", "failed", "cancelled", "timed_out", "lost", "rejected"}


@dataclass
class ControlRoom:
    """A running Control Room and a client with every right."""

    url: str
    folder: Path
    client: httpx.Client
    server: subprocess.Popen[bytes]
    runners: list[subprocess.Popen[bytes]] = field(default_factory=list)
    key: str = ""
    start_seconds: float = 0.0
    """From the start of the server's process to its first answer."""

    def publish(self, source: str, name: str) -> str:
        """Publish a single script and return the bot's id."""
        import io

        from controlroom.bots.packages import pack

        path = self.folder / f"{name}.py"
        path.write_text(source)
        package = io.BytesIO()
        pack(path, package)
        answer = self.client.post(
            "/api/v1/bots", content=package.getvalue(), headers={"Content-Type": "application/zip"}
        )
        answer.raise_for_status()
        return str(answer.json()["bot"]["id"])

    def request(self, bot: str, **inputs: Any) -> str:
        """Ask for a run and return its id."""
        answer = self.client.post("/api/v1/runs", json={"bot": bot, "inputs": inputs})
        answer.raise_for_status()
        return str(answer.json()["id"])

    def wait(self, run_id: str, seconds: float = 300) -> dict[str, Any]:
        """Return the run once it has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            run: dict[str, Any] = self.client.get(f"/api/v1/runs/{run_id}").json()
            if run["state"] in ENDED:
                return run
            time.sleep(0.02)
        raise TimeoutError(run_id)

    def memory_mb(self, process: subprocess.Popen[bytes]) -> float:
        """Return the resident memory of one process, without its children."""
        return psutil.Process(process.pid).memory_info().rss / 1e6


@contextmanager
def control_room(
    *,
    runners: int = 1,
    slots: int = 4,
    environment: dict[str, str] | None = None,
    begin: Callable[[Path], None] | None = None,
    prepare: Callable[[Path], None] | None = None,
) -> Iterator[ControlRoom]:
    """Start a Control Room for the length of the block.

    ``begin`` gets its empty data folder first and may put a database there, ``prepare`` the same once it is set up.
    """
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="controlroom-bench-", ignore_cleanup_errors=True)
            )
        )
        port = free_port()
        variables = {
            **os.environ,
            "CONTROLROOM_DATA_FOLDER": str(folder / "data"),
            "CONTROLROOM_PORT": str(port),
            "CONTROLROOM_LOG_LEVEL": "warning",
            **(environment or {}),
        }
        if begin is not None:
            begin(folder / "data")
        key, tokens = asyncio.run(
            set_up(folder / "data", runners, variables.get("CONTROLROOM_DATABASE_URL", ""))
        )
        if prepare is not None:
            prepare(folder / "data")
        url = f"http://127.0.0.1:{port}"
        begun = time.monotonic()
        server = _start(stack, ["server", "start"], variables, folder / "server.log")
        client = stack.enter_context(
            httpx.Client(
                base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=120, trust_env=False
            )
        )
        _wait_until_ready(client, server)
        start_seconds = time.monotonic() - begun
        room = ControlRoom(url, folder, client, server, key=key, start_seconds=start_seconds)
        for number, token in enumerate(tokens):
            state = folder / f"runner-{number}"
            joining = {**variables, "CONTROLROOM_JOIN_TOKEN": token}
            command = [sys.executable, "-m", "controlroom.cli", "runner"]
            subprocess.run(
                [*command, "join", url, "--state", state, "--name", f"bench-{number}"],
                env=joining,
                check=True,
                capture_output=True,
            )
            arguments = [
                "runner",
                "start",
                "--state",
                str(state),
                "--slots",
                str(slots),
                "--log-level",
                "warning",
            ]
            room.runners.append(_start(stack, arguments, variables, folder / f"runner-{number}.log"))
        _wait_until_connected(client, runners, slots)
        yield room


async def set_up(data: Path, runners: int, database_url: str) -> tuple[str, list[str]]:
    """Set a node's database up; return an API key with every right, and a join token for each runner."""
    from sqlalchemy import select

    from controlroom.audit.actor import SYSTEM
    from controlroom.devices.schemas import JoinTokenIn
    from controlroom.foundation.clock import SystemClock
    from controlroom.foundation.ids import new_id, new_secret
    from controlroom.foundation.settings import load_settings
    from controlroom.identity.authentication import secret_hash
    from controlroom.identity.models import ApiKey, User
    from controlroom.identity.permissions import Permission
    from controlroom.identity.service import local_caller
    from controlroom.server.node import open_node

    settings = load_settings(data_folder=data, database_url=database_url or None)
    clock = SystemClock()
    async with open_node(settings, clock) as node:
        await node.identity.ensure_administrator()
        tokens = [
            (await node.joining.create_token(local_caller(SYSTEM), JoinTokenIn(note="bench")))[1]
            for _ in range(runners)
        ]
        secret = new_secret("crk")
        async with node.database.write() as transaction:
            user_id = await transaction.session.scalar(select(User.id))
            transaction.session.add(
                ApiKey(
                    id=new_id("key"),
                    key_hash=secret_hash(secret),
                    user_id=user_id,
                    name="bench",
                    hint=secret[-4:],
                    permissions=[permission.value for permission in Permission],
                    created_at=clock.now(),
                    expires_at=clock.now() + timedelta(days=1),
                )
            )
    return secret, tokens


def _start(
    stack: ExitStack, arguments: list[str], variables: dict[str, str], log: Path
) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "controlroom.cli", *arguments], env=variables, stdout=output, stderr=output
        )
    stack.callback(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until_ready(client: httpx.Client, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if client.get("/health/ready").is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.02)
    raise RuntimeError("the server did not start")


def _wait_until_connected(client: httpx.Client, count: int, slots: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        devices = client.get("/api/v1/devices", params={"filter": "connected:yes", "limit": 500}).json()[
            "items"
        ]
        if len(devices) >= count:
            for device in devices:
                if device["slots"] != slots:
                    headers = {"If-Match": f'"{device["revision"]}"'}
                    client.patch(
                        f"/api/v1/devices/{device['id']}", json={"slots": slots}, headers=headers
                    ).raise_for_status()
            return
        time.sleep(0.05)
    raise RuntimeError("the runners did not connect")


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def report(name: str, figures: dict[str, Any]) -> None:
    """Print what was measured: a line a figure, or JSON with --json."""
    if "--json" in sys.argv:
        print(json.dumps({"benchmark": name, **figures}))
        return
    print(name)
    for figure, value in figures.items():
        print(f"  {figure:<44} {value}")
