"""Clears up files that nothing names: half-received uploads, and blobs whose report or version never came.

A runner uploads a file before the report that names it, and a package is stored before its version is written; a
process that dies in between leaves the file behind. Everything is let be until it is old enough that nobody can still
be on the way to name it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import InstrumentedAttribute

from controlroom.bots.models import BotVersion
from controlroom.foundation.blobs import SHELVES, BlobStore, remove_old_files
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import ControlRoomError
from controlroom.foundation.live_settings import LiveSettings
from controlroom.foundation.settings import Settings
from controlroom.foundation.telemetry import logger
from controlroom.runs.input_files.models import InputFile
from controlroom.runs.models import Artifact, Attempt, UploadedBlob
from controlroom.runs.states import ENDED

NAMED_IN: Final[Sequence[InstrumentedAttribute[str]]] = (
    Artifact.sha256,
    BotVersion.sha256,
    InputFile.sha256,
    UploadedBlob.sha256,
)
"""Every column that holds a blob's address. A room that keeps blobs adds its own, or its files are cleared up."""

_PAUSE_SECONDS = 60.0
_SHELVES_AT_ONCE = 4
"""With one look a minute every blob is looked at about once an hour."""
_ROWS_AT_ONCE = 500
_HASHES_AT_ONCE = 500

log = logger("server.leftovers")


@dataclass(slots=True)
class Leftovers:
    """Looks at a few shelves of the blob store at a time, for ever."""

    database: Database
    blobs: BlobStore
    clock: Clock
    settings: Settings
    live: LiveSettings
    _next_shelf: int = field(default=0, init=False)

    async def run_forever(self) -> None:
        """Clear up until cancelled."""
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            try:
                await self.clear_once()
            except (ControlRoomError, OSError) as error:
                log.warning("leftovers.delayed", reason=str(error))

    async def clear_once(self, shelves: int = _SHELVES_AT_ONCE) -> None:
        """Clear up once: all unfinished uploads, some rows that count no more, and the blobs of some shelves."""
        before = self.clock.now() - timedelta(hours=self.live.unnamed_file_hours)
        unfinished = 0
        for folder in (self.blobs.unfinished, self.settings.data_folder / "uploads"):
            unfinished += await asyncio.to_thread(remove_old_files, folder, before)
        await self._forget_uploads(before)
        removed, freed_bytes = 0, 0
        for _ in range(shelves):
            for sha256 in await self._unnamed(self._next_shelf, before):
                size = await self.blobs.delete_old(sha256, before)
                removed, freed_bytes = removed + (size is not None), freed_bytes + (size or 0)
            self._next_shelf = (self._next_shelf + 1) % SHELVES
        if unfinished or removed:
            log.info("leftovers.removed", unfinished=unfinished, blobs=removed, freed_bytes=freed_bytes)

    async def _forget_uploads(self, before: datetime) -> None:
        """Forget what was uploaded for attempts that ended long ago: no report of theirs can name it any more."""
        old = (
            select(UploadedBlob.attempt_id, UploadedBlob.sha256)
            .join(Attempt, Attempt.id == UploadedBlob.attempt_id)
            .where(UploadedBlob.uploaded_at < before, Attempt.ended_at < before, Attempt.state.in_(ENDED))
            .limit(_ROWS_AT_ONCE)
        )
        async with self.database.read() as session:
            rows = (await session.execute(old)).all()
        if not rows:
            return
        async with self.database.write() as transaction:
            for attempt_id, sha256 in rows:
                await transaction.session.execute(
                    delete(UploadedBlob).where(
                        UploadedBlob.attempt_id == attempt_id,
                        UploadedBlob.sha256 == sha256,
                        UploadedBlob.uploaded_at < before,
                    )
                )

    async def _unnamed(self, shelf: int, before: datetime) -> list[str]:
        old = await self.blobs.older_than(shelf, before)
        unnamed: list[str] = []
        for start in range(0, len(old), _HASHES_AT_ONCE):
            some = old[start : start + _HASHES_AT_ONCE]
            named: set[str] = set()
            async with self.database.read() as session:
                if await session.scalar(select(BotVersion.id).limit(1)) is None:
                    return []  # an empty database beside a full folder is somebody's mistake, and must not cost the files
                for column in NAMED_IN:
                    named |= set(await session.scalars(select(column).where(column.in_(some))))
            unnamed += [sha256 for sha256 in some if sha256 not in named]
        return unnamed
