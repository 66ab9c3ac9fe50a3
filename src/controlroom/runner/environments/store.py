"""All environments of a runner: leased by address, built by one process at a time, removed least recently used first.

Below the store's folder: ``ready/ADDRESS`` (a finished environment, renamed into place, so that what is there is whole),
``building/ADDRESS`` (one being built), ``locks/ADDRESS.build`` and ``locks/ADDRESS.use``. The locks are the operating
system's, so that they end with their owner.
"""

import asyncio
import json
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from controlroom.foundation.telemetry import logger
from controlroom.protocol.plan import EnvironmentSpec
from controlroom.runner.disk import disk_trouble
from controlroom.runner.environments.address import environment_address
from controlroom.runner.environments.builder import Build, packages_folder
from controlroom.runner.environments.errors import EnvironmentUnavailable
from controlroom.runner.environments.interpreters import Interpreter, InterpreterFinder
from controlroom.runner.environments.uv import LineSink
from controlroom.runner.platform.contract import FileLock, Platform

BUILD_SECONDS = 900.0
_LOCK_ROUND_SECONDS = 0.1
_FACTS = "environment.json"
_USED = "last-used"
_log = logger("runner.environments")


@dataclass(slots=True)
class EnvironmentLease:
    """An environment that stays until it is released."""

    address: str
    folder: Path
    """The virtual environment itself."""
    packages: Path
    built: bool
    """Whether it was built for this lease."""
    _lock: FileLock

    def release(self) -> None:
        """Let the environment go; it may then be cleaned away. May be called again."""
        self._lock.release()


class EnvironmentStore:
    """Hands out environments. ``release_idle`` is asked before one is removed, to end helpers that use it."""

    def __init__(
        self,
        folder: Path,
        platform: Platform,
        *,
        limit_bytes: int,
        release_idle: Callable[[Path], Awaitable[bool]],
        build_seconds: float = BUILD_SECONDS,
    ) -> None:
        self._ready = folder / "ready"
        self._building = folder / "building"
        self._locks = folder / "locks"
        for each in (self._ready, self._building, self._locks):
            each.mkdir(parents=True, exist_ok=True)
        self._platform = platform
        self._limit_bytes = limit_bytes
        self._release_idle = release_idle
        self._build_seconds = build_seconds
        self._finder = InterpreterFinder()

    async def lease(
        self, spec: EnvironmentSpec, on_line: LineSink, on_build: Callable[[], None]
    ) -> EnvironmentLease:
        """Return the environment, built where it is not there yet.

        ``on_build`` is called before a build (or a wait for another's) begins, ``on_line`` with each line of it. Raise
        `EnvironmentUnavailable`.
        """
        interpreter = await self._finder.find(spec.python)
        address = environment_address(spec, interpreter)
        found = self._lease_ready(address, interpreter)
        if found is not None:
            return found
        on_build()
        builder = await self._builder_lock(address)
        try:
            found = self._lease_ready(address, interpreter)
            if found is None:
                await self._build(address, spec, interpreter, on_line)
                found = self._lease_ready(address, interpreter, built=True)
        finally:
            builder.release()
        if found is None:
            raise EnvironmentUnavailable("The environment was removed the moment it was built; try again.")
        await self.clean()
        return found

    def _lease_ready(
        self, address: str, interpreter: Interpreter, *, built: bool = False
    ) -> EnvironmentLease | None:
        place = self._ready / address
        if not place.is_dir():
            return None
        lock = self._platform.lock_file(self._locks / f"{address}.use", shared=True)
        if lock is None:
            return None
        if not place.is_dir():
            lock.release()
            return None
        (place / _USED).touch()
        venv = place / "venv"
        return EnvironmentLease(address, venv, packages_folder(venv, interpreter), built, lock)

    async def _builder_lock(self, address: str) -> FileLock:
        path = self._locks / f"{address}.build"
        while (lock := self._platform.lock_file(path, shared=False)) is None:  # noqa: ASYNC110  # another process has no event for us
            await asyncio.sleep(_LOCK_ROUND_SECONDS)
        return lock

    async def _build(
        self, address: str, spec: EnvironmentSpec, interpreter: Interpreter, on_line: LineSink
    ) -> None:
        """Build aside and rename into place; the caller holds the builder's lock."""
        aside = self._building / address
        started = time.monotonic()
        await asyncio.to_thread(_remove, aside)
        aside.mkdir()
        try:
            layout = self._platform.layout
            await Build(spec, interpreter, layout, aside, on_line, self._build_seconds).run()
            size = await asyncio.to_thread(folder_size, aside)
            facts = {
                "size_bytes": size,
                "python": interpreter.version,
                "requirements": list(spec.requirements),
            }
            (aside / _FACTS).write_text(json.dumps(facts), encoding="utf-8")
            os.replace(aside, self._ready / address)
        except OSError as error:
            raise EnvironmentUnavailable(
                f"The environment cannot be written to {self._ready}. {disk_trouble(error)}"
            ) from None
        finally:
            await asyncio.to_thread(_remove, aside)
        _log.info(
            "environment.built", environment=address, seconds=round(time.monotonic() - started, 3), bytes=size
        )

    def recent(self, count: int) -> list[Path]:
        """Return the most recently used environments, newest first."""
        return [place / "venv" for _, place in self._by_use()[-count:][::-1]]

    async def clean(self) -> None:
        """Remove the environments that were unused longest until the rest fits the limit; none in use is touched."""
        places = self._by_use()
        sizes = {place: _recorded_size(place) for _, place in places}
        total = sum(sizes.values())
        for _, place in places:
            if total <= self._limit_bytes:
                return
            if await self._remove_unused(place):
                total -= sizes[place]
                _log.info("environment.removed", environment=place.name, bytes=sizes[place])

    async def clean_leftovers(self) -> None:
        """Remove what builders left that died; a build that goes on elsewhere holds its lock and stays."""
        for aside in tuple(self._building.iterdir()):
            lock = self._platform.lock_file(
                self._locks / f"{aside.name.partition('.')[0]}.build", shared=False
            )
            if lock is not None:
                await asyncio.to_thread(_remove, aside)
                lock.release()

    async def _remove_unused(self, place: Path) -> bool:
        if not await self._release_idle(place / "venv"):
            return False
        builder = self._platform.lock_file(self._locks / f"{place.name}.build", shared=False)
        if builder is None:
            return False
        users = self._platform.lock_file(self._locks / f"{place.name}.use", shared=False)
        if users is None:
            builder.release()
            return False
        trash = self._building / f"{place.name}.trash"
        try:
            await asyncio.to_thread(_remove, trash)
            os.replace(place, trash)
            await asyncio.to_thread(_remove, trash)
            for kind in ("use", "build"):
                (self._locks / f"{place.name}.{kind}").unlink(missing_ok=True)
        except OSError:
            return False
        finally:
            users.release()
            builder.release()
        return True

    def _by_use(self) -> list[tuple[float, Path]]:
        found = []
        for place in self._ready.iterdir():
            try:
                found.append(((place / _USED).stat().st_mtime, place))
            except OSError:
                found.append((0.0, place))
        return sorted(found)


def folder_size(folder: Path) -> int:
    """Return the bytes of all files below a folder; links are not followed, what vanishes counts nothing."""
    total = 0
    pending = [str(folder)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


def _recorded_size(place: Path) -> int:
    try:
        return int(json.loads((place / _FACTS).read_text(encoding="utf-8"))["size_bytes"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
