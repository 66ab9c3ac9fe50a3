"""The first set-up of a data folder: tables, an administrator with a password made up, a token for the local runner."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from controlroom.foundation.errors import Unavailable
from controlroom.foundation.settings import Settings

ADMINISTRATOR = "admin"
_TOKEN_MINUTES = 60


@dataclass(frozen=True, slots=True)
class FirstSetup:
    """What the set-up made. ``password`` is shown once and kept nowhere; None where there were users already."""

    password: str | None
    join_token: str | None


def check_data_folder(folder: Path) -> None:
    """Make the data folder; raise `Unavailable` in one sentence where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise Unavailable(
            f"The data folder {folder.resolve()} cannot be written ({os.strerror(error.errno or 0)}); "
            "make it writable or name another with CONTROLROOM_DATA_FOLDER."
        ) from None


def set_up(settings: Settings, *, needs_runner: bool) -> FirstSetup:
    """Bring the database to its newest form and make what a first start needs; a later start changes nothing."""
    return asyncio.run(_set_up(settings, needs_runner))


async def _set_up(settings: Settings, needs_runner: bool) -> FirstSetup:
    from controlroom.audit.actor import SYSTEM
    from controlroom.devices.schemas import JoinTokenIn
    from controlroom.foundation.clock import SystemClock
    from controlroom.identity.service import local_caller
    from controlroom.server.node import open_node

    async with open_node(settings, SystemClock()) as node:
        password = await node.identity.ensure_administrator(name=ADMINISTRATOR)
        token = None
        if needs_runner:
            wanted = JoinTokenIn(note="The runner of this machine", valid_minutes=_TOKEN_MINUTES)
            _, token = await node.joining.create_token(local_caller(SYSTEM), wanted)
    return FirstSetup(password, token)
