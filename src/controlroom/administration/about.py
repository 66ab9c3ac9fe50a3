"""What runs here: version, database, node, since when; and the licences of all parts."""

import asyncio
import platform
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from controlroom import __version__
from controlroom.administration.parts import Part, installed_parts
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Unavailable
from controlroom.foundation.settings import Settings
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission


@dataclass(frozen=True, slots=True)
class About:
    """This node, as it is now. ``database`` names the kind and version of the database server, or says it is away."""

    version: str
    python: str
    system: str
    hostname: str
    node_id: str
    database: str
    schema: str
    data_folder: str
    public_url: str
    started_at: datetime
    uptime_seconds: float


class AboutService:
    """Tells what is installed, as ``app.state.about``."""

    def __init__(
        self, database: Database, clock: Clock, settings: Settings, node_id: str, *, schema: str
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._node_id = node_id
        self._schema = schema
        self._started_at = clock.now()

    async def about(self, caller: Caller) -> About:
        """Return what runs here."""
        caller.require_everywhere(Permission.SETTINGS_READ)
        now = self._clock.now()
        return About(
            version=__version__,
            python=platform.python_version(),
            system=f"{platform.system()} {platform.release()}",
            hostname=socket.gethostname(),
            node_id=self._node_id,
            database=await self._database_version(),
            schema=self._schema,
            data_folder=str(self._settings.data_folder.resolve()),
            public_url=self._settings.public_url,
            started_at=self._started_at,
            uptime_seconds=(now - self._started_at).total_seconds(),
        )

    async def parts(self, caller: Caller) -> Sequence[Part]:
        """Return all parts that the product is made of, by name, with their licences."""
        caller.require_everywhere(Permission.SETTINGS_READ)
        return await asyncio.to_thread(installed_parts)

    async def _database_version(self) -> str:
        asked = "sqlite_version()" if self._database.is_sqlite else "current_setting('server_version')"
        try:
            async with self._database.read() as session:
                version = await session.scalar(text(f"SELECT {asked}"))
        except Unavailable:
            return "away at the moment"
        return f"{'SQLite' if self._database.is_sqlite else 'PostgreSQL'} {version}"
