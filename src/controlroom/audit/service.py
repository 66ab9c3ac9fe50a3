"""What one can do with the audit log: add to it, read it, prove it, vouch for it, hand it out, and let old entries go."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from controlroom.audit.actor import SYSTEM, Actor
from controlroom.audit.chain import newest_link
from controlroom.audit.checkpoint import Checkpoint, make_checkpoint, newest_checkpoint
from controlroom.audit.errors import RetentionRefused, SealBroken
from controlroom.audit.export import exported_lines
from controlroom.audit.models import AuditAnchor, AuditDelivery, AuditEntry
from controlroom.audit.record import record
from controlroom.audit.retention import (
    Kept,
    Removable,
    Removed,
    removable,
    remove_stretches,
    told_removable,
)
from controlroom.audit.seal import Seal, read_seal, renew_seal
from controlroom.audit.search import searching
from controlroom.audit.signing import Signer
from controlroom.audit.state import LogState
from controlroom.audit.syslog.delivery import NAME as SYSLOG
from controlroom.audit.verification import ChainFault, ChainReport, verify
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import ControlRoomError, NotFound, Unavailable
from controlroom.foundation.paging import Page, PageRequest, fetch_page
from controlroom.foundation.telemetry import logger

__all__ = ["AuditService", "ChainFault", "ChainReport", "record", "verify"]

SEAL_SECONDS = 60
"""How much of the newest past may go without a seal while a server runs."""

_REPORT_KEPT = timedelta(seconds=30)
_RETENTION_SECONDS = 3600

_log = logger("audit")


class AuditService:
    """The audit log of one Control Room; the server makes one and puts it into ``app.state.audit``.

    ``signer`` signs checkpoints and anchors; without one there are none. ``is_sent`` says that entries go to a log
    collector as well, ``kept`` for how long they are kept; without it for ever.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        secret_key: bytes,
        signer: Signer | None = None,
        *,
        is_sent: bool = False,
        kept: Kept | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._secret_key = secret_key
        self._signer = signer
        self._is_sent = is_sent
        self._kept = kept or Kept(lambda: 0)
        self._verifying = asyncio.Lock()
        self._report: ChainReport | None = None
        self._proved_at: datetime | None = None

    async def page(self, request: PageRequest) -> Page[AuditEntry]:
        """Return a page of entries, newest first where nothing else is asked for."""
        async with self._database.read() as session:
            grammar = await searching(session, request.filter)
            return await fetch_page(session, select(AuditEntry), grammar, request)

    async def entry(self, number: int) -> AuditEntry:
        """Return one entry; raise `NotFound` where there is none with this number."""
        async with self._database.read() as session:
            found = await session.get(AuditEntry, number)
        if found is None:
            raise NotFound(f"There is no audit entry {number}; it may have been removed by retention.")
        return found

    def export(self, filter_: str = "", *, until: int | None = None) -> AsyncIterator[list[str]]:
        """Give the entries that fit a filter as JSON lines, oldest first, in batches."""
        return exported_lines(self._database, filter_, until=until)

    async def state(self) -> LogState:
        """Return how the log stands; cheap, for it proves nothing anew."""
        async with self._database.read() as session:
            anchors = select(AuditAnchor).order_by(AuditAnchor.last_number.desc()).limit(1)
            return LogState(
                newest=await newest_link(session),
                seal=await read_seal(session, self._secret_key),
                checkpoint=await newest_checkpoint(session),
                anchor=await session.scalar(anchors),
                delivery=await session.get(AuditDelivery, SYSLOG) if self._is_sent else None,
                report=self._report,
                proved_at=self._proved_at,
                kept_days=self._kept.days(),
                exports_first=self._kept.export_folder is not None,
            )

    async def verification(self) -> ChainReport:
        """Prove the chain; whoever asks meanwhile, or within half a minute, shares the answer."""
        async with self._verifying:
            now = self._clock.now()
            if self._report is None or self._proved_at is None or self._proved_at + _REPORT_KEPT <= now:
                keys = {await self._signer.public_key()} if self._signer else set()
                async with self._database.read() as session:
                    self._report = await verify(session, self._secret_key, trusted_keys=keys)
                self._proved_at = now
            return self._report

    async def public_key(self) -> str:
        """Return the key by which anyone can check a checkpoint, as base64."""
        return await self._require_signer().public_key()

    async def checkpoint(self, actor: Actor) -> Checkpoint:
        """Sign the newest link, to be kept elsewhere; raise `LogIsEmpty` where there is none."""
        signer = self._require_signer()
        await signer.public_key()  # reads the key before the chain's lock is taken
        async with self._database.write() as transaction:
            return await make_checkpoint(transaction, signer, actor=actor, time=self._clock.now())

    async def would_remove(self, before: datetime) -> Removable:
        """Say what `retain` would remove now, without removing it."""
        async with self._database.read() as session:
            return await told_removable(session, before, is_sent=self._is_sent)

    async def retain(self, actor: Actor, before: datetime, *, export_to: Path | None = None) -> Removed:
        """Remove entries older than a moment, exported to a new file first where one is named.

        Raises `RetentionRefused` where an entry to remove does not hold, or the file is there already.
        """
        signer = self._require_signer()
        async with self._database.read() as session:
            first, last = await removable(session, before, is_sent=self._is_sent)
        if last < first:
            return Removed(0)
        if export_to is not None:
            await self._export_to(export_to, last)
        removed = await remove_stretches(
            self._database, signer, self._clock, actor=actor, first=first, last=last,
            exported_to=export_to.name if export_to else "",
        )  # fmt: skip
        _log.info("audit.removed", first=removed.first, last=removed.last, count=removed.count)
        return removed

    async def _export_to(self, path: Path, last: int) -> None:
        part = path.with_name(path.name + ".part")
        try:
            if await asyncio.to_thread(path.exists):
                raise RetentionRefused(f"{path} is there already, and an export is never overwritten.")
            file = await asyncio.to_thread(part.open, "w", encoding="utf-8")
            try:
                async for lines in self.export(until=last):
                    await asyncio.to_thread(file.writelines, lines)
                await asyncio.to_thread(file.flush)
                await asyncio.to_thread(os.fsync, file.fileno())
            finally:
                await asyncio.to_thread(file.close)
            await asyncio.to_thread(part.rename, path)
        except OSError as error:
            raise RetentionRefused(
                f"{path} cannot be written: {error.strerror}. Nothing was removed."
            ) from None

    async def keep_retention(self) -> None:
        """Let entries that are old enough go, every hour until cancelled; while they are kept for ever, none goes."""
        while True:
            await asyncio.sleep(_RETENTION_SECONDS)
            days, folder = self._kept.days(), self._kept.export_folder
            if not days:
                continue
            now = self._clock.now()
            target = folder / f"audit-{now:%Y%m%dT%H%M%SZ}.jsonl" if folder else None
            try:
                await self.retain(SYSTEM, now - timedelta(days=days), export_to=target)
            except (ControlRoomError, SQLAlchemyError) as error:
                _log.warning("audit.not_removed", reason=str(error))

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

    def _require_signer(self) -> Signer:
        if self._signer is None:
            raise Unavailable("This part of the product has no key to sign with.")
        return self._signer
