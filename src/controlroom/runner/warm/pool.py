"""The fork servers of a runner: one for cold starts, and warm ones for the environments in use, bounded and aged."""

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from controlroom.foundation.telemetry import logger
from controlroom.runner.platform.contract import BotProcess, CannotStart, EnvironmentLayout, ProcessOrder
from controlroom.runner.warm.inside import host as host_program

if sys.platform != "win32":
    from controlroom.runner.platform.posix import KeptProcess, Refused
    from controlroom.runner.warm.hosts import Host, own_variables, start_host

assert sys.platform != "win32"  # noqa: S101  # tells the type checker that what follows needs fork  # nosec B101

HOSTS_LIMIT = 8
"""An idle host holds about 10 MB."""
IDLE_SECONDS = 900.0
_SWEEP_SECONDS = 30.0
_log = logger("runner.warm")


class HostPool:
    """Starts bots through hosts. What fails warm is started cold, with a note that says why."""

    def __init__(
        self, layout: EnvironmentLayout, folder: Path, *, warm: bool, limit: int, idle_seconds: float
    ) -> None:
        self._layout = layout
        self._folder = folder
        self._warm_wanted = warm
        self._limit = limit
        self._idle_seconds = idle_seconds
        self._hosts: dict[Path, Host] = {}
        self._opening: dict[Path, asyncio.Lock] = {}
        self._cold: Host | None = None
        self._cold_opening = asyncio.Lock()
        self._watching: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        layout: EnvironmentLayout,
        state_folder: Path,
        *,
        warm: bool,
        limit: int = HOSTS_LIMIT,
        idle_seconds: float = IDLE_SECONDS,
    ) -> AsyncIterator[Self]:
        """Open a pool; its hosts end on leaving, the bots they started do not."""
        folder = state_folder / "hosts"
        folder.mkdir(parents=True, exist_ok=True)
        pool = cls(layout, folder, warm=warm, limit=limit, idle_seconds=idle_seconds)
        sweeper = asyncio.create_task(pool._sweep())
        try:
            await pool._cold_host()
            yield pool
        finally:
            sweeper.cancel()
            for task in tuple(pool._watching):
                task.cancel()
            hosts = [*pool._hosts.values(), *([pool._cold] if pool._cold else [])]
            await asyncio.gather(*(host.end() for host in hosts), return_exceptions=True)

    async def start(self, order: ProcessOrder) -> BotProcess:
        """Start a process, warm where the order allows it; raise `CannotStart`."""
        note = order.refusal
        if order.script is not None and order.environment is not None and not note:
            if self._warm_wanted:
                try:
                    return await self._start_warm(order, order.environment)
                except (Refused, CannotStart) as error:
                    note = f"The warm start failed: {error}"
                    _log.warning("warm.refused", environment=order.environment.name, reason=str(error))
            else:
                note = "Warm interpreters are switched off on this runner."
        return await self._start_cold(order, note)

    async def _start_warm(self, order: ProcessOrder, environment: Path) -> KeptProcess:
        host = await self._host(environment)
        host.in_use += 1
        try:
            process = await host.start(order, warm=True)
        except BaseException:
            host.in_use -= 1
            raise
        self._watch(host, process)
        return process

    async def _start_cold(self, order: ProcessOrder, note: str) -> KeptProcess:
        order = replace(order, script=None)
        try:
            return await (await self._cold_host()).start(order, warm=False, note=note)
        except Refused:
            # The host was killed meanwhile; a new one is made once.
            try:
                return await (await self._cold_host()).start(order, warm=False, note=note)
            except Refused as error:
                raise CannotStart(f"No process could be started: {error}.") from None

    def _watch(self, host: Host, process: KeptProcess) -> None:
        async def until_ended() -> None:
            await process.wait()
            host.in_use -= 1

        task = asyncio.create_task(until_ended())
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def _host(self, environment: Path) -> Host:
        async with self._opening.setdefault(environment, asyncio.Lock()):
            host = self._hosts.get(environment)
            if host is None or not host.alive:
                await self._make_room()
                host = self._hosts[environment] = await start_host(
                    environment / self._layout.python,
                    [str(host_script(environment))],
                    own_variables(),
                    self._folder / f"{hashlib.sha256(str(environment).encode()).hexdigest()[:16]}.log",
                )
            return host

    async def _cold_host(self) -> Host:
        async with self._cold_opening:
            if self._cold is None or not self._cold.alive:
                self._cold = await start_host(
                    Path(sys.executable),
                    ["-I", host_program.__file__],
                    own_variables(),
                    self._folder / "cold.log",
                )
            return self._cold

    async def prestart(self, environments: Sequence[Path]) -> None:
        """Make hosts ready for these environments, as far as the limit goes; one that fails is left to its first bot."""
        for environment in environments[: self._limit] if self._warm_wanted else ():
            with suppress(CannotStart):
                await self._host(environment)

    async def release(self, environment: Path) -> bool:
        """End the idle host of an environment; False where bots of it run."""
        host = self._hosts.get(environment)
        if host is None:
            return True
        if host.in_use:
            return False
        del self._hosts[environment]
        await host.end()
        return True

    async def _make_room(self) -> None:
        """End the host that was idle longest where the pool is full; one in use stays, even above the limit."""
        while len(self._hosts) >= self._limit:
            idle = [environment for environment, host in self._hosts.items() if not host.in_use]
            if not idle:
                return
            await self.release(min(idle, key=lambda environment: self._hosts[environment].last_used))

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = asyncio.get_running_loop().time()
            for environment, host in tuple(self._hosts.items()):
                if not host.alive or (not host.in_use and now - host.last_used > self._idle_seconds):
                    await self.release(environment)
            for environment in tuple(self._opening):
                if environment not in self._hosts and not self._opening[environment].locked():
                    del self._opening[environment]


def packages_folder(environment: Path) -> Path:
    """Return the folder of an environment that holds its packages; raise `CannotStart` where it has none."""
    for folder in sorted((environment / "lib").glob("python3.*/site-packages")):
        return folder
    raise CannotStart(f"The environment {environment} has no site-packages folder.")


def host_script(environment: Path) -> Path:
    """Return the fork server's program inside an environment."""
    return packages_folder(environment) / "controlroom/runner/warm/inside/host.py"
