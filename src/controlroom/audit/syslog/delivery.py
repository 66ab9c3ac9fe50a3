"""Hands every entry to a log collector, in order, each at least once.

Syslog over TLS has no receipts: what was written into a connection that breaks may or may not have arrived (RFC 5425
section 1). So an entry counts as sent only when the connection has stood for a while after it, and what does not yet
count is sent again over the next connection; its sequence id tells a collector that it has seen it.
"""

import asyncio
import time as monotonic_time
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import or_, select, update

from controlroom.audit.models import AuditDelivery, AuditEntry
from controlroom.audit.syslog.connection import Collector, CollectorConnection, connect
from controlroom.audit.syslog.message import syslog_message
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import ControlRoomError
from controlroom.foundation.telemetry import logger

NAME = "syslog"

_BATCH_ENTRIES = 200
_POLL_SECONDS = 1.0
_SETTLED_SECONDS = 3.0
_HELD = timedelta(seconds=30)
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
_MOST_UNSETTLED_BATCHES = 64
"""How much may be sent before the first of it counts; beyond, sending waits."""

log = logger("audit.syslog")


@dataclass(slots=True)
class SyslogDelivery:
    """Delivers from one node; where there are several, the one that holds the row in the database."""

    database: Database
    clock: Clock
    collector: Collector
    hostname: str
    node_id: str
    settled_seconds: float = _SETTLED_SECONDS
    poll_seconds: float = _POLL_SECONDS
    _unsettled: deque[tuple[int, float]] = field(default_factory=deque, init=False)

    async def run_forever(self) -> None:
        """Deliver until cancelled; a collector or a database that is away only delays it."""
        await self._make_row()
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                if await self._hold() is not None:
                    await self._deliver()
                pause = _FIRST_PAUSE_SECONDS
            except ControlRoomError as error:
                log.warning("audit.syslog_delayed", reason=error.detail)
                await self._note_failure(error.detail)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def _deliver(self) -> None:
        """Connect and send what is new for as long as this node holds the delivery and the connection stands."""
        connection = await connect(self.collector)
        self._unsettled.clear()
        try:
            sent = await self._hold(connected=True)
            while sent is not None:
                sent = await self._send_new(connection, sent)
                await self._settle()
                if await self._hold() is None:
                    return
        finally:
            await connection.close()

    async def _send_new(self, connection: CollectorConnection, sent: int) -> int:
        """Send the next batch and return the number it reached; wait a moment where there is nothing to send."""
        connection.require_open()
        if len(self._unsettled) < _MOST_UNSETTLED_BATCHES:
            async with self.database.read() as session:
                query = select(AuditEntry).where(AuditEntry.number > sent).order_by(AuditEntry.number)
                entries = (await session.scalars(query.limit(_BATCH_ENTRIES))).all()
            if entries:
                await connection.send([syslog_message(entry, self.hostname) for entry in entries])
                sent = entries[-1].number
                self._unsettled.append((sent, monotonic_time.monotonic() + self.settled_seconds))
                if len(entries) == _BATCH_ENTRIES:
                    return sent
        await connection.wait(self.poll_seconds)
        return sent

    async def _settle(self) -> None:
        """Write down what has been in an unbroken connection for long enough."""
        now, settled = monotonic_time.monotonic(), 0
        while self._unsettled and self._unsettled[0][1] <= now:
            settled = self._unsettled.popleft()[0]
        if settled:
            async with self.database.write() as transaction:
                await transaction.session.execute(
                    update(AuditDelivery)
                    .where(AuditDelivery.name == NAME, AuditDelivery.number < settled)
                    .values(number=settled, sent_at=self.clock.now(), failure="")
                )

    async def _make_row(self) -> None:
        async with self.database.write() as transaction:
            if await transaction.session.get(AuditDelivery, NAME) is None:
                transaction.session.add(AuditDelivery(name=NAME, number=0, holder="", failure=""))

    async def _hold(self, *, connected: bool = False) -> int | None:
        """Claim the delivery or keep it; return the number that counts as sent, None where another node has it."""
        now = self.clock.now()
        async with self.database.read() as session:
            row = await session.get(AuditDelivery, NAME)
        if row is None:
            return None
        is_mine = (
            row.holder == self.node_id and row.held_until is not None and row.held_until > now + _HELD / 2
        )
        if is_mine and not connected:
            return row.number
        values = {"holder": self.node_id, "held_until": now + _HELD}
        async with self.database.write() as transaction:
            return await transaction.session.scalar(
                update(AuditDelivery)
                .where(
                    AuditDelivery.name == NAME,
                    or_(
                        AuditDelivery.holder.in_(("", self.node_id)),
                        AuditDelivery.held_until.is_(None),
                        AuditDelivery.held_until < now,
                    ),
                )
                .values(**values, **({"connected_at": now, "failure": ""} if connected else {}))
                .returning(AuditDelivery.number)
                .execution_options(synchronize_session=False)
            )

    async def _note_failure(self, reason: str) -> None:
        try:
            async with self.database.write() as transaction:
                await transaction.session.execute(
                    update(AuditDelivery)
                    .where(AuditDelivery.name == NAME)
                    .values(failure=reason[:500], failed_at=self.clock.now(), connected_at=None)
                )
        except ControlRoomError as error:
            log.warning("audit.syslog_delayed", reason=error.detail)
