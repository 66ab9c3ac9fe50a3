"""A real Control Room for tests: server and runner processes that may be killed and started again, and a client.

Everything that is started is ended by its process id when the block ends, however it ends.
"""

import asyncio
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
from sqlalchemy import select

from controlroom.audit.actor import SYSTEM
from controlroom.bots.packages import pack
from controlroom.devices.schemas import JoinTokenIn
from controlroom.foundation.clock import SystemClock
from controlroom.foundation.ids import new_id, new_secret
from controlroom.foundation.settings import Settings
from controlroom.identity.authentication import secret_hash
from controlroom.identity.models import ApiKey, User
from controlroom.identity.permissions import Permission
from controlroom.identity.service import local_caller
from controlroom.runs.states import ENDED
from controlroom.server.node import Node, open_node

_PASSWORD = "lamps over quiet rivers"
_START_SECONDS = 60
_END_SECONDS = 15
QUICK = {"heartbeat_seconds": 0.5, "lease_seconds": 3, "sweep_seconds": 0.3, "cancel_grace_seconds": 1}
"""Settings with which a lost runner is noticed within seconds."""


@dataclass
class RunningServer:
    """A Control Room that is served from a folder; ``keys`` are API keys by the role of their user."""

    folder: Path
    settings: dict[str, str]
    keys: dict[str, str]
    join_tokens: list[str]
    port: int
    slots: int
    server: subprocess.Popen[bytes] | None = None
    runners: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    starts: int = 0

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, role: str | None = "administrator") -> httpx.Client:
        """Return a client with the key of a role's user, or with none; the caller closes it."""
        headers = {} if role is None else {"Authorization": f"Bearer {self.keys[role]}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)

    def start_server(self, *, before: Callable[[], None] | None = None) -> None:
        """Start the server process and wait until it is ready; ``before`` runs in the new process first."""
        self.server = self._start(["server", "start"], "server", before=before)
        wait_for(self._is_ready, "the server is ready", seconds=_START_SECONDS)

    def kill_server(self) -> None:
        """End the server process at once, as a power cut would."""
        if self.server is not None:
            _kill(self.server)
            self.server = None

    def join_runner(self, number: int) -> None:
        """Exchange a join token for the key of a runner."""
        environment = {**self.environment(), "CONTROLROOM_JOIN_TOKEN": self.join_tokens.pop()}
        arguments = ["join", self.url, "--state", str(self._state(number)), "--name", f"runner-{number}"]
        subprocess.run(
            [*_CONTROLROOM, "runner", *arguments],
            env=environment,
            check=True,
            capture_output=True,
            timeout=_START_SECONDS,
        )

    def start_runner(self, number: int) -> None:
        """Start a runner that has joined; it connects in its own time."""
        arguments = ["start", "--state", str(self._state(number)), "--slots", str(self.slots)]
        self.runners[number] = self._start(["runner", *arguments], f"runner-{number}")

    def kill_runner(self, number: int) -> None:
        """End a runner process at once, and nothing else of its tree."""
        process = self.runners.pop(number, None)
        if process is not None:
            _kill(process)

    def close(self) -> None:
        """End every process, runners first so that none is left without a parent to stop it."""
        processes = [*self.runners.values(), *([self.server] if self.server else [])]
        for process in processes:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)
            _kill(process)
        for left in self.bot_processes():
            with suppress(psutil.Error):
                left.kill()

    def bot_processes(self) -> list[psutil.Process]:
        """Return the processes of bots: those that work below an attempt's folder of one of the runners."""
        attempts = re.compile(re.escape(str(self.folder)) + r"/runner-\d+/attempts/")
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if attempts.match(process.cwd()):
                    found.append(process)
        return found

    def publish(self, source: str, name: str) -> dict[str, Any]:
        """Publish one PEP 723 script and return what the API says of it."""
        with self.client() as client:
            answer = client.post(
                "/api/v1/bots", content=package_of(source, name), headers={"Content-Type": "application/zip"}
            )
        answer.raise_for_status()
        published: dict[str, Any] = answer.json()
        return published

    def wait_until_connected(self, count: int, seconds: float = _START_SECONDS) -> None:
        """Wait until so many runners are connected."""
        with self.client() as client:

            def connected() -> bool:
                devices = client.get("/api/v1/devices").json()["items"]
                return sum(device["connected_at"] is not None for device in devices) >= count

            wait_for(connected, f"{count} runner(s) are connected", seconds=seconds)

    def wait_for_end(self, run_id: str, seconds: float = 60) -> dict[str, Any]:
        """Return a run once it has ended."""
        with self.client() as client:
            run: dict[str, Any] = {}

            def ended() -> bool:
                run.update(client.get(f"/api/v1/runs/{run_id}").raise_for_status().json())
                return run["state"] in ENDED

            wait_for(ended, f"run {run_id} has ended, it is {run.get('state')}", seconds=seconds)
            return run

    def log_of(self, name: str) -> str:
        """Return what a process has written."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _is_ready(self) -> bool:
        if self.server is not None and self.server.poll() is not None:
            raise RuntimeError(f"The server did not start: {self.log_of('server')[-2000:]}")
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def environment(self) -> dict[str, str]:
        """Return the variables of a process of this Control Room."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CONTROLROOM_")}
        return {**kept, **self.settings}

    def _state(self, number: int) -> Path:
        return self.folder / f"runner-{number}"

    def _start(
        self, arguments: Sequence[str], log: str, *, before: Callable[[], None] | None = None
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{log}.log").open("ab") as file:
            return subprocess.Popen(
                [*_CONTROLROOM, *arguments],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
                preexec_fn=before,  # noqa: PLW1509  # sets a limit and nothing else
            )


_CONTROLROOM = [sys.executable, "-m", "controlroom.cli"]


@contextmanager
def running_server(
    folder: Path,
    *,
    runners: int = 0,
    slots: int = 2,
    database_url: str = "",
    roles: Sequence[str] = ("administrator",),
    settings: Mapping[str, object] = QUICK,
    data_folder: Path | None = None,
) -> Iterator[RunningServer]:
    """Start a Control Room with some runners for the length of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    given = {"data_folder": data_folder or folder / "data", "database_url": database_url, "port": port}
    given |= settings
    variables = {f"CONTROLROOM_{name.upper()}": str(value) for name, value in given.items() if value != ""}
    keys, tokens = asyncio.run(_set_up(Settings(**given), runners, roles))  # type: ignore[arg-type]  # checked by pydantic
    made = RunningServer(folder, variables, keys, tokens, port, slots)
    try:
        made.start_server()
        for number in range(runners):
            made.join_runner(number)
            made.start_runner(number)
        if runners:
            made.wait_until_connected(runners)
        yield made
    finally:
        made.close()


async def _set_up(settings: Settings, tokens: int, roles: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    caller = local_caller(SYSTEM)
    async with open_node(settings, SystemClock()) as node:
        keys = {role: await make_key(node, role) for role in roles}
        made = [(await node.joining.create_token(caller, JoinTokenIn(note="test")))[1] for _ in range(tokens)]
    return keys, made


async def make_key(node: Node, role: str) -> str:
    """Make a user with a role and an API key with all of the role's rights; return the key."""
    await node.identity.accounts.create(
        local_caller(SYSTEM), name=f"some_{role}", roles=[role], password=_PASSWORD
    )
    secret, now = new_secret("crk"), datetime.now(UTC)
    async with node.database.write() as transaction:
        user_id = await transaction.session.scalar(select(User.id).where(User.name == f"some_{role}"))
        assert user_id is not None
        transaction.session.add(
            ApiKey(
                id=new_id("key"),
                key_hash=secret_hash(secret),
                user_id=user_id,
                name="test",
                hint=secret[-4:],
                permissions=[permission.value for permission in Permission],
                created_at=now,
                expires_at=now + timedelta(days=1),
            )
        )
    return secret


def package_of(source: str, name: str) -> bytes:
    """Pack one script with its declaration: no requirements, so that nothing is downloaded."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / f"{name}.py"
        script.write_text(source)
        package = io.BytesIO()
        pack(script, package)
    return package.getvalue()


def script(body: str, **table: object) -> str:
    """Return a PEP 723 script without requirements; ``table`` goes into ``[tool.controlroom]``, as JSON-like TOML."""
    lines = ["# /// script", '# requires-python = ">=3.11"', "# dependencies = []"]
    if table:
        lines += ["# [tool.controlroom]", *(f"# {name} = {_toml(value)}" for name, value in table.items())]
    return "\n".join([*lines, "# ///", body])


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {_toml(item)}" for name, item in value.items()) + "}"
    return json.dumps(value)


def wait_for(condition: Callable[[], bool], what: str, *, seconds: float) -> None:
    """Wait until something holds; raise `TimeoutError` that says what did not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not within {seconds:.0f} s: {what}.")
        time.sleep(0.05)


def free_port() -> int:
    """Return a port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    process.wait(_END_SECONDS)
