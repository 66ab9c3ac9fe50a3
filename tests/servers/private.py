"""What the private servers have in common: a free port, a process that does not outlive the tests, its end by its id."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_START_SECONDS = 60
_END_SECONDS = 15


@dataclass
class PrivateServer:
    """A server that was started; ``ports`` are its TCP ports by name, ``udp`` its UDP ports."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    ports: dict[str, int]
    udp: dict[str, int] = field(default_factory=dict)
    ready: Callable[[], bool] | None = None
    tree: bool = False

    def wait(self) -> None:
        """Wait until every TCP port takes connections, and for what else there is; raise with the log's end."""
        deadline = time.monotonic() + _START_SECONDS
        waiting = list(self.ports.values())
        while time.monotonic() < deadline:
            waiting = [port for port in waiting if not _listens(port)]
            if not waiting and (self.ready is None or self.ready()):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"{self.name} did not start: {self.log.read_text(errors='replace')[-1500:]}")

    def stop(self) -> None:
        """End the server and what it started."""
        # What waits for a namespace's first process does not heed SIGTERM; the namespace ends with it.
        for sign in (signal.SIGKILL,) if self.tree else (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(sign)
            try:
                self.process.wait(timeout=_END_SECONDS)
                break
            except subprocess.TimeoutExpired:
                continue


def start(
    name: str,
    command: list[str],
    folder: Path,
    ports: dict[str, int],
    *,
    udp: dict[str, int] | None = None,
    environment: Mapping[str, str] | None = None,
    tree: bool = False,
    ready: Callable[[], bool] | None = None,
    account: str = "",
) -> PrivateServer:
    """Start a server with its log in its folder.

    A ``tree`` of processes, which may daemonise, gets a process namespace of its own, and ends as a whole.
    """
    log = folder / f"{name}.log"
    setpriv = shutil.which("setpriv")
    before = [setpriv, "--pdeathsig", "KILL"] if setpriv else []
    if account and os.geteuid() == 0 and setpriv:
        before += [f"--reuid={account}", f"--regid={_group_of(account)}", "--clear-groups"]
    if tree and os.geteuid() == 0:
        before += ["unshare", "-pfm", "--mount-proc", "--kill-child"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*before, *command],
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
    return PrivateServer(name, process, log, ports, udp or {}, ready, tree)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port of the loopback interface that was free a moment ago."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_port_of_both() -> int:
    """Return a port that was free for TCP and for UDP a moment ago."""
    while True:
        port = free_port()
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port


def own(path: Path, account: str) -> None:
    """Give a folder and all in it to an account, where this process may."""
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", f"{account}:", str(path)], check=True)


def _group_of(account: str) -> str:
    import grp
    import pwd

    return grp.getgrgid(pwd.getpwnam(account).pw_gid).gr_name


def _listens(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(0.5)
        return one.connect_ex(("127.0.0.1", port)) == 0
