"""Writes down when sessions and API keys were last used: at most once a minute each, aside from the requests."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import ControlRoomError
from controlroom.foundation.telemetry import logger
from controlroom.identity.models import ApiKey, Session

_EVERY = timedelta(minutes=1)
_MOST_NOTED = 20_000

_log = logger("identity.usage")


class UsageNotes:
    """Remembers who was seen when and hands it to the database in one transaction for all.

    A note that cannot be written is given up: it costs a session at most its idle time since the note before.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._noted: dict[str, datetime] = {}
        self._waiting: dict[tuple[type[Session] | type[ApiKey], str], datetime] = {}
        self._writer: asyncio.Task[None] | None = None

    def note(self, *, session_id: str | None, api_key_id: str | None) -> None:
        """Take note of a use; costs nothing but the first time in a minute."""
        id_ = session_id or api_key_id
        if id_ is None:
            return
        now = self._clock.now()
        if now - self._noted.get(id_, datetime.min.replace(tzinfo=now.tzinfo)) < _EVERY:
            return
        if len(self._noted) >= _MOST_NOTED:
            self._noted.clear()
        self._noted[id_] = now
        self._waiting[(Session if session_id else ApiKey, id_)] = now
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())

    def last(self, id_: str, written: datetime) -> datetime:
        """Return the later of what the database holds and what was noted here since."""
        return max(written, self._noted.get(id_, written))

    async def settle(self) -> None:
        """Wait until all that was noted is written or given up."""
        while self._writer is not None and not self._writer.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(self._writer)

    async def _write(self) -> None:
        while self._waiting:
            uses, self._waiting = self._waiting, {}
            try:
                async with self._database.write() as transaction:
                    for (table, id_), moment in sorted(uses.items(), key=lambda item: item[0][1]):
                        await transaction.session.execute(
                            update(table).where(table.id == id_).values(used_at=moment)
                        )
            except (ControlRoomError, SQLAlchemyError) as error:
                _log.warning("identity.usage_not_written", uses=len(uses), reason=type(error).__name__)
