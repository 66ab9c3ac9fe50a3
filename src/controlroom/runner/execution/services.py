"""What all attempts of a runner share: environments, warm interpreters, the platform."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from controlroom.runner.environments import EnvironmentStore
from controlroom.runner.execution.variables import MARKER
from controlroom.runner.execution.workspace import Workspace
from controlroom.runner.platform import current_platform
from controlroom.runner.platform.contract import Launcher, Platform

_MEGABYTE = 1024 * 1024
_PRESTARTED = 2
"""Hosts made ready before any bot asks: those of the environments used last."""


@dataclass(frozen=True, slots=True)
class ExecutionServices:
    """Opened once a runner."""

    platform: Platform
    launcher: Launcher
    environments: EnvironmentStore
    control_room_url: str = ""
    """Told to the bots; empty where no Control Room is behind them."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls, state_folder: Path, *, environment_limit_mb: int, warm: bool, control_room_url: str = ""
    ) -> AsyncIterator[Self]:
        """Open everything below a folder of the runner's own, which other runners of this machine may share."""
        state_folder = _absolute(state_folder)
        platform = current_platform()
        async with platform.open_launcher(state_folder, warm=warm) as launcher:
            environments = EnvironmentStore(
                state_folder / "environments",
                platform,
                limit_bytes=environment_limit_mb * _MEGABYTE,
                release_idle=launcher.release,
            )
            await environments.clean_leftovers()
            warming = asyncio.create_task(launcher.prestart(environments.recent(_PRESTARTED)))
            try:
                yield cls(platform, launcher, environments, control_room_url)
            finally:
                warming.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await warming


def _absolute(folder: Path) -> Path:
    return folder.resolve()


async def end_leftovers(workspace: Path) -> None:
    """Kill whatever processes an earlier runner left for an attempt's folder; call it before the folder is removed."""
    place = Workspace.at(workspace)
    identities = await asyncio.to_thread(place.remembered_processes)
    await asyncio.to_thread(current_platform().end_processes, identities, (MARKER, str(place.root)))
    await asyncio.to_thread(place.remove_link)
