"""One fork server, from the runner's side: started once, asked for many processes."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from controlroom.runner.platform.contract import CannotStart, ProcessOrder

if sys.platform != "win32":
    from controlroom.runner.platform.posix import KeptProcess, Pipes, Refused

assert sys.platform != "win32"  # noqa: S101  # tells the type checker that what follows needs fork  # nosec B101

_READY_SECONDS = 20.0
_ANSWER_SECONDS = 15.0
_END_SECONDS = 5.0
_DATA_FACTOR = 2
_DATA_HEADROOM_BYTES = 512 * 1024 * 1024
"""RLIMIT_DATA only brakes a burst between two measurements; the measured limit of the whole tree is the real one."""


class Host:
    """A running fork server. ``in_use`` counts the processes it was asked for that have not ended."""

    def __init__(self, process: asyncio.subprocess.Process, requests: socket.socket) -> None:
        self._process = process
        self._requests = requests
        self._asking = asyncio.Lock()
        self.in_use = 0
        self.last_used = asyncio.get_running_loop().time()

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.returncode is None and self._requests.fileno() >= 0

    @property
    def pid(self) -> int:
        """The fork server's own process id."""
        return self._process.pid

    async def start(self, order: ProcessOrder, *, warm: bool, note: str = "") -> KeptProcess:
        """Start a process; raise `CannotStart`, or `Refused` where this host cannot."""
        pipes = Pipes()
        try:
            async with self._asking:
                await self._ask(_request(order, warm=warm), pipes.far_ends)
        except (OSError, TimeoutError) as error:
            pipes.close()
            pipes.control.close()
            await self.end()
            raise Refused(f"the interpreter cannot be reached: {error}") from None
        pipes.close_far_ends()
        self.last_used = asyncio.get_running_loop().time()
        process = KeptProcess(pipes, warm=warm, note=note, signal_group=order.signal_group)
        await process.open(_ANSWER_SECONDS)
        return process

    async def _ask(self, request: bytes, descriptors: Sequence[int]) -> None:
        """Send one request. Its first bytes carry the descriptors; an idle host always has room for them."""
        socket.send_fds(self._requests, [len(request).to_bytes(4, "big")], list(descriptors))
        async with asyncio.timeout(_ANSWER_SECONDS):
            await asyncio.get_running_loop().sock_sendall(self._requests, request)

    async def end(self) -> None:
        """Close the socket, which ends the host, and see it gone; what it has started goes on."""
        self._requests.close()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


def _request(order: ProcessOrder, *, warm: bool) -> bytes:
    return json.dumps(
        {
            "command": None if warm else list(order.command),
            "launch": order.script if warm else None,
            "environment": order.variables,
            "folder": str(order.folder),
            "open_files": order.open_files,
            "data_bytes": order.memory_bytes and order.memory_bytes * _DATA_FACTOR + _DATA_HEADROOM_BYTES,
        }
    ).encode("utf-8", "surrogateescape")


async def start_host(
    python: Path, arguments: Sequence[str], variables: dict[str, str], log_file: Path
) -> Host:
    """Start a fork server and wait until it is ready; raise `CannotStart` with its own last words."""
    near, far = socket.socketpair()
    near.setblocking(False)
    with log_file.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            python,
            *arguments,
            str(far.fileno()),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=variables,
            cwd="/",
            pass_fds=(far.fileno(),),
            start_new_session=True,
        )
    far.close()
    host = Host(process, near)
    try:
        async with asyncio.timeout(_READY_SECONDS):
            ready = await asyncio.get_running_loop().sock_recv(near, 1)
    except (OSError, TimeoutError):
        ready = b""
    if not ready:
        await host.end()
        words = (await asyncio.to_thread(log_file.read_bytes))[-2000:].decode("utf-8", "replace").strip()
        raise CannotStart(f"The interpreter {python} did not become ready: {words or 'it said nothing'}")
    return host


def own_variables() -> dict[str, str]:
    """Return the few variables that a host itself needs; a bot gets its own at the fork."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ} | {
        "LANG": os.environ.get("LANG") or "C.UTF-8"
    }
