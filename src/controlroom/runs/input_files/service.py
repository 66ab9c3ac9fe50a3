"""What people and programs can do with files as inputs. Rights are checked here, for the API and the pages alike."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit import service as audit
from controlroom.bots.file_format import FILE_ID_PREFIX
from controlroom.bots.file_inputs import MEGABYTE, file_places, media_type_of, names_files
from controlroom.foundation.blobs import BlobStore, CorruptBlob
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction
from controlroom.foundation.errors import FieldError, Invalid, TooLarge
from controlroom.foundation.file_names import name_problem
from controlroom.foundation.ids import new_id
from controlroom.foundation.settings import Settings
from controlroom.identity.caller import Caller
from controlroom.identity.filters import Conditions
from controlroom.identity.models import User
from controlroom.identity.permissions import Permission
from controlroom.runs import queries
from controlroom.runs.input_files.binding import files_at, files_of_run, usable_files
from controlroom.runs.input_files.errors import (
    InputFileDamaged,
    InputFileInUse,
    InputFileNotFound,
    TooManyUnusedFiles,
)
from controlroom.runs.input_files.models import LONGEST_MEDIA_TYPE, InputFile, RunFile

MOST_UNUSED = 200
_ROWS_AT_ONCE = 500


class InputFileService:
    """Takes, shows and gives files as inputs, as ``app.state.input_files``."""

    def __init__(self, database: Database, blobs: BlobStore, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._settings = settings

    @property
    def limit_bytes(self) -> int:
        """The size of the largest file that is taken."""
        return self._settings.input_file_limit_mb * MEGABYTE

    async def upload(
        self,
        caller: Caller,
        chunks: AsyncIterator[bytes],
        *,
        name: str,
        announced_type: str = "",
        size_bytes: int | None = None,
        expected_sha256: str | None = None,
    ) -> InputFile:
        """Keep a file for a run that the caller will ask for; it ends if no run uses it in time.

        Raises `Invalid` for a name that is none or content that is not what was announced, `TooLarge` past the limit
        of one file and `TooManyUnusedFiles` past that of all that lie unused.
        """
        caller.require(Permission.RUN_REQUEST)
        if problem := name_problem(name):
            raise Invalid(f"The file's name {problem}.", fields=(FieldError("/name", problem),))
        async with self._database.read() as session:
            room = await self._room(session, caller)
        if size_bytes is not None:
            self._check_size(size_bytes, room)
        stored = await self._blobs.put(
            chunks, limit_bytes=min(self.limit_bytes, room), expected_sha256=expected_sha256
        )
        async with self._database.write() as transaction:
            # Whoever uploads several at once waits here, so that together they stay within the limit.
            await transaction.session.execute(
                select(User.id).where(User.id == caller.user_id).with_for_update()
            )
            self._check_size(stored.size_bytes, await self._room(transaction.session, caller))
            now = self._clock.now()
            file = InputFile(
                id=new_id(FILE_ID_PREFIX),
                name=name,
                media_type=media_type_of(name, announced_type)[:LONGEST_MEDIA_TYPE],
                sha256=stored.sha256,
                size_bytes=stored.size_bytes,
                uploaded_by_id=caller.user_id,
                uploaded_by=caller.user_name,
                uploaded_at=now,
                expires_at=now + timedelta(hours=self._settings.unused_file_hours),
            )
            transaction.session.add(file)
            self._record(transaction, caller, "uploaded", file, now)
        return file

    async def unused(self, caller: Caller) -> Sequence[InputFile]:
        """Return what the caller has uploaded and not yet given to a run, newest first."""
        caller.require(Permission.RUN_REQUEST)
        query = select(InputFile).where(*_unused_by(caller), InputFile.expires_at > self._clock.now())
        async with self._database.read() as session:
            return (await session.scalars(query.order_by(InputFile.uploaded_at.desc()))).all()

    async def remove(self, caller: Caller, file_id: str) -> None:
        """Remove a file that no run has used; raise `InputFileNotFound` or `InputFileInUse`."""
        caller.require(Permission.RUN_REQUEST)
        async with self._database.write() as transaction:
            file = await transaction.session.get(InputFile, file_id, with_for_update=True)
            if file is None or file.uploaded_by_id != caller.user_id:
                raise InputFileNotFound(f"There is no file '{file_id}' of yours.")
            if file.used_at is not None:
                raise InputFileInUse(f"A run was given {file.name}; it is kept with the run.")
            self._record(transaction, caller, "removed", file, self._clock.now())
            await transaction.session.delete(file)

    async def check(
        self, caller: Caller, schema: Mapping[str, Any], inputs: Mapping[str, Any], repeats_run_id: str | None
    ) -> None:
        """Raise `InputsInvalid` where a run could not be given the files that its inputs name; nothing is kept."""
        caller.require(Permission.RUN_REQUEST)
        if not names_files(inputs):
            return
        places = await asyncio.to_thread(file_places, dict(schema), inputs)
        async with self._database.read() as session:
            await files_at(session, caller, places, now=self._clock.now(), repeats_run_id=repeats_run_id)

    async def known(
        self, caller: Caller, ids: set[str], repeats_run_id: str | None = None
    ) -> Mapping[str, InputFile]:
        """Return those of some files that the caller may give to a run, by id: what a form shows of them."""
        caller.require(Permission.RUN_REQUEST)
        if not ids:
            return {}
        async with self._database.read() as session:
            return await usable_files(session, caller, ids, now=self._clock.now(), run_id=repeats_run_id)

    async def of_run(self, caller: Caller, run_id: str) -> Sequence[tuple[RunFile, InputFile]]:
        """Return the files that a run was given."""
        caller.require(Permission.RUN_READ)
        async with self._database.read() as session:
            run = await queries.run_for(session, caller, Permission.RUN_READ, run_id)
            return await files_of_run(session, run)

    async def content(self, caller: Caller, run_id: str, file_id: str) -> tuple[InputFile, Path]:
        """Return a file of a run and where its content lies, after checking that it is unharmed; leaves an audit entry."""
        given = {file.id: file for _, file in await self.of_run(caller, run_id)}
        if file_id not in given:
            raise InputFileNotFound(f"The run was given no file '{file_id}'.")
        file = given[file_id]
        try:
            path = await self._blobs.verified_path(file.sha256)
        except CorruptBlob as error:
            raise InputFileDamaged(error.detail) from error
        async with self._database.write() as transaction:
            self._record(transaction, caller, "downloaded", file, self._clock.now(), run_id=run_id)
        return file, path

    async def _room(self, session: AsyncSession, caller: Caller) -> int:
        """Return how many bytes the caller may still upload before they use what lies there."""
        used = select(func.count(), func.coalesce(func.sum(InputFile.size_bytes), 0))
        query = used.where(*_unused_by(caller), InputFile.expires_at > self._clock.now())
        count, size = (await session.execute(query)).one()
        room = self._settings.unused_files_limit_mb * MEGABYTE - int(size)
        if count >= MOST_UNUSED or room <= 0:
            raise TooManyUnusedFiles(
                f"You have {count} files of {int(size) / MEGABYTE:,.0f} MB that no run has used, of at most {MOST_UNUSED} "
                f"and {self._settings.unused_files_limit_mb} MB; remove some, or wait until they expire."
            )
        return room

    def _check_size(self, size_bytes: int, room: int) -> None:
        if size_bytes > self.limit_bytes:
            raise TooLarge(
                f"The file is larger than the {self._settings.input_file_limit_mb} MB that are taken."
            )
        if size_bytes > room:
            raise TooManyUnusedFiles(
                f"With this file you would have more than {self._settings.unused_files_limit_mb} MB that no run has used; "
                "remove some, or wait until they expire."
            )

    @staticmethod
    def _record(
        transaction: Transaction,
        caller: Caller,
        what: str,
        file: InputFile,
        now: datetime,
        *,
        run_id: str = "",
    ) -> None:
        audit.record(
            transaction,
            time=now,
            actor=caller.actor,
            action=f"input_file.{what}",
            target_kind="input_file",
            target_id=file.id,
            target_name=file.name,
            detail={
                "sha256": file.sha256,
                "size_bytes": file.size_bytes,
                **({"run_id": run_id} if run_id else {}),
            },
        )


def _unused_by(caller: Caller) -> Conditions:
    return InputFile.uploaded_by_id == caller.user_id, InputFile.used_at.is_(None)


async def forget_unused_files(transaction: Transaction, now: datetime) -> int:
    """Forget files that nothing has used in time, some at once; the leftovers' keeper removes their content later."""
    old = (
        select(InputFile.id)
        .where(InputFile.used_at.is_(None), InputFile.expires_at <= now)
        .order_by(InputFile.expires_at)
        .limit(_ROWS_AT_ONCE)
    )
    ids = (await transaction.session.scalars(old)).all()
    if not ids:
        return 0
    gone = delete(InputFile).where(InputFile.id.in_(ids), InputFile.used_at.is_(None)).returning(InputFile.id)
    return len((await transaction.session.scalars(gone)).all())
