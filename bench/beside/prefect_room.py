"""A Prefect server with a process worker, in a virtual environment and a folder of their own, gone afterwards.

Everything is left at Prefect's defaults except what keeps it to this machine and quiet: a free loopback port, a
temporary home, no analytics. The environment is kept in ``bench/beside/.venv`` for the next round.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1] / "spine"))

from serving import free_port

HERE = Path(__file__).parent
FLOW = """
import time
began = time.time()
from pathlib import Path
from prefect import flow

@flow(log_prints=True)
def trivial(path: str) -> None:
    print("done")
    Path(path).write_text(repr(began))
"""
DEPLOY = """
import sys
from prefect import flow
found = flow.from_source(source=sys.argv[1], entrypoint="bot.py:trivial")
print("id", found.deploy(name="bench", work_pool_name="bench", print_next_steps=False))
"""


@dataclass
class PrefectRoom:
    """A running Prefect and a client of its API."""

    client: httpx.Client
    folder: Path
    deployment: str

    def request(self, path: Path) -> str:
        """Ask for a flow run that writes the moment of its first statement to a file; return the run's id."""
        answer = self.client.post(
            f"/deployments/{self.deployment}/create_flow_run", json={"parameters": {"path": str(path)}}
        )
        answer.raise_for_status()
        return str(answer.json()["id"])

    def completed(self) -> int:
        """Return how many runs have completed."""
        body = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
        return int(self.client.post("/flow_runs/count", json=body).json())


def _environment() -> Path:
    """Make the virtual environment from the pinned packages, once."""
    folder = HERE / ".venv"
    python = folder / "bin" / "python"
    if not (folder / ".complete").exists():
        uv = Path(sys.executable).parent / "uv"
        subprocess.run([uv, "venv", "--quiet", "--clear", folder], check=True)
        pinned = ["--require-hashes", "-r", HERE / "prefect.txt"]
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *pinned], check=True)
        (folder / ".complete").touch()
    return python


@contextmanager
def prefect_room(*, slots: int) -> Iterator[PrefectRoom]:
    """Start Prefect for the length of the block."""
    python = _environment()
    prefect = str(python.with_name("prefect"))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="controlroom-prefect-")))
        port = free_port()
        url = f"http://127.0.0.1:{port}/api"
        variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT")},
            "PREFECT_HOME": str(folder / "home"),
            "PREFECT_API_URL": url,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PATH": f"{python.parent}:{os.environ['PATH']}",
        }

        def start(*arguments: str) -> None:
            log = stack.enter_context((folder / "output.log").open("ab"))
            process = subprocess.Popen([prefect, *arguments], env=variables, stdout=log, stderr=log)
            stack.callback(_end, process)

        start("server", "start", "--host", "127.0.0.1", "--port", str(port))
        client = stack.enter_context(httpx.Client(base_url=url, timeout=60, trust_env=False))
        _until(lambda: client.get("/health").is_success, "the server did not start")
        create = [prefect, "work-pool", "create", "bench", "--type", "process"]
        subprocess.run(create, env=variables, check=True, capture_output=True)
        (folder / "bot.py").write_text(FLOW)
        deploy = subprocess.run(
            [python, "-c", DEPLOY, str(folder)], env=variables, check=True, capture_output=True, text=True
        )
        deployment = next(line.split()[1] for line in deploy.stdout.splitlines() if line.startswith("id "))
        start("worker", "start", "--pool", "bench", "--limit", str(slots))
        workers = "/work_pools/bench/workers/filter"
        _until(lambda: bool(client.post(workers, json={}).json()), "the worker did not connect")
        yield PrefectRoom(client, folder, deployment)


def wait_for(path: Path, seconds: float = 180) -> float:
    """Return the moment that a flow run wrote, once it has."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if path.exists() and (text := path.read_text()):
            return float(json.loads(text))
        time.sleep(0.02)
    raise TimeoutError(path)


def _until(is_so: Any, complaint: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if is_so():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(complaint)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
