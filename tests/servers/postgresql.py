"""A private PostgreSQL server."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from servers.programs import required_program

_FOLDERS = [str(folder) for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
_START_SECONDS = 30


@dataclass(frozen=True)
class PostgresqlServer:
    """A running server; databases are made and dropped through `psql`."""

    port: int
    password: str
    psql: str

    def url(self, database: str) -> str:
        """Return the SQLAlchemy address of a database."""
        return f"postgresql+asyncpg://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Run one statement outside any transaction."""
        environment = {**os.environ, "PGPASSWORD": self.password}
        command = [self.psql, "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-qc", statement]
        subprocess.run(command, check=True, env=environment, capture_output=True, timeout=30)


@contextmanager
def postgresql_server() -> Iterator[PostgresqlServer]:
    """Start a server for the length of the block and end it, by its own process id, afterwards."""
    server = required_program("postgres", "postgresql-15", *_FOLDERS)
    initdb = required_program("initdb", "postgresql-15", *_FOLDERS)
    psql = required_program("psql", "postgresql-client-15")
    folder = Path(tempfile.mkdtemp(prefix="controlroom-postgresql-", dir="/tmp"))
    identity = _identity()
    password = secrets.token_hex(12)
    try:
        (folder / "password").write_text(password)
        if identity:
            for path in (folder, folder / "password"):
                os.chown(path, identity["user"], identity["group"])
        data = folder / "data"
        arguments: list[str | Path] = [
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "scram-sha-256",
            "--pwfile",
            folder / "password",
            "-N",
            "-E",
            "UTF8",
        ]
        subprocess.run(
            [initdb, *arguments, "--locale", "C", "--no-instructions"],
            check=True,
            capture_output=True,
            cwd=folder,
            **identity,
        )
        port = _free_port()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [server, "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", "", *_fast_settings()],
                stdout=log,
                stderr=log,
                cwd=folder,
                **identity,
            )
        try:
            _wait_until_ready(process, data / "postmaster.pid", folder / "log")
            yield PostgresqlServer(port, password, psql)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=_START_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Identity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def _identity() -> _Identity:
    """The server refuses to run as root, so a root test run starts it as the packages' own user."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam("postgres")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _fast_settings() -> list[str]:
    settings = (
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "wal_level=minimal",
        "max_wal_senders=0",
    )
    return [
        part
        for setting in (*settings, "shared_buffers=32MB", "jit=off", "autovacuum=off")
        for part in ("-c", setting)
    ]


def _wait_until_ready(process: subprocess.Popen[bytes], pid_file: Path, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        lines = pid_file.read_text().splitlines() if pid_file.exists() else []
        if len(lines) >= 8 and lines[7].strip() == "ready":
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-500:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
