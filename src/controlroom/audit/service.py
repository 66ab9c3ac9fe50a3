"""What one can do with the audit log: add to it, read it, prove it, seal it."""

import asyncio
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from controlroom.audit.actor import ActorKind
from controlroom.audit.errors import SealBroken
from controlroom.audit.models import AuditEntry, AuditOutcome
from controlroom.audit.record import record
from controlroom.audit.seal import Seal, renew_seal
from controlroom.audit.verification import ChainFault, ChainReport, verify
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import ControlRoomError, NotFound
from controlroom.foundation.paging import Field, Grammar, Kind, Page, PageRequest, fetch_page
from controlroom.foundation.telemetry import logger

__all__ = ["AuditService", "ChainFault", "ChainReport", "record", "verify"]

SEAL_SECONDS = 60
"""How much of the newest past may go without a seal while a server runs."""

_REPORT_KEPT = timedelta(seconds=30)

_log = logger("audit")

GRAMMAR = Grammar(
    fields={
        "number": Field(AuditEntry.number, Kind.NUMBER, sortable=True),
        "time": Field(AuditEntry.time, Kind.MOMENT, sortable=True),
        "actor": Field(AuditEntry.actor_name),
        "actor_id": Field(AuditEntry.actor_id),
        "actor_kind": Field(AuditEntry.actor_kind, Kind.CHOICE, tuple(ActorKind)),
        "action": Field(AuditEntry.action),
        "target": Field(AuditEntry.target_name),
        "target_id": Field(AuditEntry.target_id),
        "target_kind": Field(AuditEntry.target_kind),
        "outcome": Field(AuditEntry.outcome, Kind.CHOICE, tuple(AuditOutcome)),
        "address": Field(AuditEntry.address),
        "request": Field(AuditEntry.request_id),
    },
    key=AuditEntry.number,
    text=(AuditEntry.actor_name, AuditEntry.action, AuditEntry.target_name),
    default_sort="-number",
)


class AuditService:
    """The audit log of one Control Room; the server makes one and puts it into ``app.state.audit``."""

    def __init__(self, database: Database, clock: Clock, secret_key: bytes) -> None:
        self._database = database
        self._clock = clock
        self._secret_key = secret_key
        self._verifying = asyncio.Lock()
        self._report: ChainReport | None = None
        self._report_until = clock.now()

    async def page(self, request: PageRequest) -> Page[AuditEntry]:
        """Return a page of entries, newest first where nothing else is asked for."""
        async with self._database.read() as session:
            return await fetch_page(session, select(AuditEntry), GRAMMAR, request)

    async def entry(self, number: int) -> AuditEntry:
        """Return one entry; raise `NotFound` where there is none with this number."""
        async with self._database.read() as session:
            found = await session.get(AuditEntry, number)
        if found is None:
            raise NotFound(f"There is no audit entry {number}.")
        return found

    async def verification(self) -> ChainReport:
        """Prove the chain; whoever asks meanwhile, or within half a minute, shares the answer."""
        async with self._verifying:
            if self._report is None or self._report_until <= self._clock.now():
                async with self._database.read() as session:
                    self._report = await verify(session, self._secret_key)
                self._report_until = self._clock.now() + _REPORT_KEPT
            return self._report

    async def keep_sealed(self) -> None:
        """Seal the chain every minute until cancelled."""
        while True:
            await asyncio.sleep(SEAL_SECONDS)
            await self.seal_if_possible()

    async def seal_if_possible(self) -> None:
        """Seal the chain; what stands in the way is logged, and the next minute tries again. Also for a node's end."""
        try:
            await self.seal()
        except SealBroken:
            return  # `seal` has logged it
        except (ControlRoomError, SQLAlchemyError) as error:
            _log.warning("audit.not_sealed", reason=type(error).__name__)

    async def seal(self, *, anew: bool = False) -> Seal | None:
        """Vouch for the chain as it stands.

        Raises `SealBroken` where what was sealed before is no longer there. Costs one short transaction. The newest
        link also goes into the server's log, so that a log kept elsewhere is a witness.
        """
        try:
            async with self._database.write() as transaction:
                now = self._clock.now()
                sealed = await renew_seal(transaction, self._secret_key, time=now, anew=anew)
        except SealBroken as error:
            _log.error("audit.seal_broken", reason=error.detail)
            raise
        if sealed is not None and sealed.time == now:
            _log.info("audit.sealed", number=sealed.link.number, hash=sealed.link.hash)
        return sealed
