"""The sweep: finds what time or a lost message left behind."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controlroom.devices.presence import forget_old_presence
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import ControlRoomError
from controlroom.foundation.live_settings import LiveSettings
from controlroom.foundation.outbox import forget_events
from controlroom.foundation.settings import Settings
from controlroom.foundation.telemetry import logger
from controlroom.runs.input_files.service import forget_unused_files
from controlroom.runs.leases import Leases
from controlroom.runs.measures import forget_hours_of_bots

_FORGET_EVERY = timedelta(minutes=10)

log = logger("server.sweep")


@dataclass(slots=True)
class Sweep:
    """Ends overdue attempts and forgets what is old: events, unused files, comings and goings of devices, bots' hours.

    It goes at the pace of the settings.
    """

    database: Database
    clock: Clock
    settings: Settings
    leases: Leases
    live: LiveSettings
    _patient_until: datetime | None = field(default=None, init=False)
    _forgotten_at: datetime | None = field(default=None, init=False)

    async def run_forever(self) -> None:
        """Sweep until cancelled.

        For the length of one lease after the start nothing is ended: this node may have been away, and the runners
        that kept working must have the time to come back and say so.
        """
        await asyncio.sleep(self.settings.lease_seconds)
        while True:
            try:
                await self.sweep_once()
            except ControlRoomError as error:
                log.warning("sweep.delayed", reason=error.detail)
            await asyncio.sleep(self.settings.sweep_seconds)

    async def sweep_once(self) -> None:
        """Look once for all that is overdue."""
        await self._be_patient_after_a_locked_database()
        now = self.clock.now()
        if self._patient_until is None or now >= self._patient_until:
            ended = await self.leases.end_overdue()
            if ended:
                log.warning("attempts.overdue", ended=ended)
        if self._forgotten_at is None or now - self._forgotten_at >= _FORGET_EVERY:
            async with self.database.write() as transaction:
                await forget_events(
                    transaction, before=now - timedelta(hours=self.live.event_retention_hours)
                )
                await forget_old_presence(transaction, now)
                await forget_unused_files(transaction, now)
                await forget_hours_of_bots(transaction, now)
            self._forgotten_at = now

    async def _be_patient_after_a_locked_database(self) -> None:
        """Give every lease its length anew where the database could not be written for a while.

        No renewal could be written meanwhile either, so that runners which never fell silent would look lost.
        """
        begun, is_writable = time.monotonic(), False
        try:
            async with self.database.write() as transaction:
                await transaction.session.connection()  # takes the write lock of SQLite
            is_writable = time.monotonic() - begun <= self.settings.heartbeat_seconds
        finally:
            if not is_writable:
                self._patient_until = self.clock.now() + timedelta(seconds=self.settings.lease_seconds)
