"""macOS: as Linux, but without child subreapers and parent-death signals, so a tree is known by its process group.

Type-checked for darwin, never run there.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from controlroom.runner.platform import posix, processes
from controlroom.runner.platform.contract import EnvironmentLayout, FileLock, Launcher

if sys.platform != "win32":
    from controlroom.runner.warm.pool import HostPool

assert sys.platform != "win32"  # noqa: S101  # tells the type checker that what follows needs POSIX  # nosec B101


class DarwinPlatform:
    """macOS."""

    name = "darwin"
    layout = EnvironmentLayout(python=Path("bin/python"), scripts=Path("bin"))
    inherited_variables = frozenset(
        {"HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TZ", "USER", "__CF_USER_TEXT_ENCODING"}
    )

    @asynccontextmanager
    async def open_launcher(self, state_folder: Path, *, warm: bool) -> AsyncIterator[Launcher]:
        """Open the pool of hosts.

        Hosts fork before any of Apple's frameworks is loaded; a bot that loads them does so after the fork, which
        Apple allows.
        """
        async with HostPool.open(self.layout, state_folder, warm=warm) as pool:
            yield pool

    def lock_file(self, path: Path, *, shared: bool) -> FileLock | None:
        """Lock a file by flock(2)."""
        return posix.lock_file(path, shared=shared)

    def end_processes(self, identities: dict[int, float], marker: tuple[str, str]) -> int:
        """Kill processes that an earlier runner left."""
        return processes.end(identities, marker)
