"""Where the things that events tell of are, kept in memory, so that each watcher is told only what they may know."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import select

from controlroom.bots.models import Bot
from controlroom.devices.models import PoolMember
from controlroom.foundation.database import Database
from controlroom.foundation.outbox import Event
from controlroom.identity.places import EVERYWHERE, At, BotAt, PoolsAt

_MOVERS = ("bot.created", "bot.edited", "pool.")
"""Kinds of events, by how they begin, after which something may be in another place."""


class EventPlaces:
    """The folder of each bot and the pools of each device, as they are now; read anew when one of them moves."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._folders: Mapping[str, str] = {}
        self._pools: Mapping[str, frozenset[str]] = {}
        self.sight = 0
        """Counts how often it was read where things are: what was seen by rights at places before may now be hidden."""

    async def read(self) -> None:
        """Read where everything is."""
        pools: dict[str, set[str]] = defaultdict(set)
        async with self._database.read() as session:
            folders = {row.id: row.folder for row in await session.execute(select(Bot.id, Bot.folder))}
            for pool_id, device_id in await session.execute(select(PoolMember.pool_id, PoolMember.device_id)):
                pools[device_id].add(pool_id)
        self.sight += 1
        self._folders = folders
        self._pools = {device_id: frozenset(ids) for device_id, ids in pools.items()}

    async def follow(self, events: Sequence[Event]) -> None:
        """Take note of what moved; called with all events, in order, before watchers get them."""
        if any(event.kind.startswith(_MOVERS) for event in events):
            await self.read()

    def of(self, event: Event) -> At:
        """Return where the thing is that an event tells of; what is in no known place only those see who see all."""
        room = event.kind.partition(".")[0]
        if room in ("bot", "run"):
            bot_id = event.subject if room == "bot" else str(event.data.get("bot_id", ""))
            folder = self._folders.get(bot_id)
            return EVERYWHERE if folder is None else BotAt(bot_id, folder)
        if room == "device":
            return PoolsAt(self._pools.get(event.subject, frozenset()))
        return PoolsAt(frozenset({event.subject})) if room == "pool" else EVERYWHERE
