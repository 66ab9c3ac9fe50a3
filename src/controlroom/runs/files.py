"""Files of an attempt, as its runner may read and write them: only its own, only with its token."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.bots.models import BotVersion
from controlroom.devices.models import Device
from controlroom.foundation.blobs import BlobStore, CorruptBlob
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import NotFound, TooLarge
from controlroom.foundation.settings import Settings
from controlroom.runs.errors import AttemptForbidden, NoEnvironment, PackageDamaged
from controlroom.runs.input_files.errors import InputFileDamaged
from controlroom.runs.input_files.models import InputFile, RunFile
from controlroom.runs.models import Attempt, Run, UploadedBlob
from controlroom.runs.plan import manifest_on
from controlroom.runs.tokens import AttemptTokens

_MEGABYTE = 1024 * 1024
_MOST_FILES = 2_000


@dataclass(frozen=True, slots=True)
class AttemptFiles:
    """The package and the artifacts of attempts."""

    database: Database
    blobs: BlobStore
    clock: Clock
    settings: Settings
    tokens: AttemptTokens

    async def package(self, device_id: str, attempt_id: str, token: str) -> tuple[Path, str]:
        """Return the package's path and hash; raise `AttemptForbidden` where it is not this device's attempt.

        Raises `PackageDamaged` where the stored package is not what was published, and `NoEnvironment` where it has none
        for the device's kind of machine: no runner need ask again, and the attempt is rejected with these words.
        """
        async with self.database.read() as session:
            await self._check(session, device_id, attempt_id, token)
            query = (
                select(BotVersion, Device.facts)
                .join(Run, Run.version_id == BotVersion.id)
                .join(Attempt, Attempt.run_id == Run.id)
                .join(Device, Device.id == Attempt.device_id)
                .where(Attempt.id == attempt_id)
            )
            version, facts = (await session.execute(query)).one()
        if manifest_on(version, facts).environment is None:
            machine = f"{facts.get('system', 'this system')} on {facts.get('machine', 'this machine')}"
            raise NoEnvironment(
                f"The package has no environment for {machine}; give its device a label that the bot needs."
            )
        sha256 = version.sha256
        try:
            return await self.blobs.verified_path(sha256), sha256
        except CorruptBlob as error:
            raise PackageDamaged(error.detail) from error

    async def input_file(self, device_id: str, attempt_id: str, token: str, file_id: str) -> tuple[Path, str]:
        """Return the path and hash of a file that the attempt's run was given.

        Raises `AttemptForbidden` where the attempt is not this device's or its run was not given the file, and
        `InputFileDamaged` where the stored file is not what was uploaded.
        """
        async with self.database.read() as session:
            await self._check(session, device_id, attempt_id, token)
            query = (
                select(InputFile.sha256)
                .join(RunFile, RunFile.file_id == InputFile.id)
                .join(Attempt, Attempt.run_id == RunFile.run_id)
                .where(Attempt.id == attempt_id, InputFile.id == file_id)
                .limit(1)
            )
            sha256 = await session.scalar(query)
        if sha256 is None:
            raise AttemptForbidden("This attempt's run was given no such file.")
        try:
            return await self.blobs.verified_path(sha256), sha256
        except (CorruptBlob, NotFound) as error:
            raise InputFileDamaged(error.detail) from error

    async def store_artifact(
        self, device_id: str, attempt_id: str, token: str, sha256: str, content: AsyncIterator[bytes]
    ) -> None:
        """Store an artifact's content; raise `TooLarge` past the limits of an artifact or an attempt."""
        limit = self.settings.artifact_limit_mb * _MEGABYTE
        async with self.database.read() as session:
            await self._check(session, device_id, attempt_id, token)
            used = select(func.count(), func.coalesce(func.sum(UploadedBlob.size_bytes), 0))
            count, size = (await session.execute(used.where(UploadedBlob.attempt_id == attempt_id))).one()
        if count >= _MOST_FILES or size >= limit:
            raise TooLarge(
                f"An attempt may leave {_MOST_FILES:,} artifacts of {self.settings.artifact_limit_mb} MB together."
            )
        stored = await self.blobs.put(content, limit_bytes=limit - size, expected_sha256=sha256)
        async with self.database.write() as transaction:
            if await transaction.session.get(UploadedBlob, (attempt_id, sha256)) is None:
                transaction.session.add(
                    UploadedBlob(
                        attempt_id=attempt_id,
                        sha256=sha256,
                        size_bytes=stored.size_bytes,
                        uploaded_at=self.clock.now(),
                    )
                )

    async def _check(self, session: AsyncSession, device_id: str, attempt_id: str, token: str) -> None:
        owner = await session.scalar(select(Attempt.device_id).where(Attempt.id == attempt_id))
        if owner != device_id or not self.tokens.is_valid(attempt_id, token):
            raise AttemptForbidden("This attempt is not this device's, or its token does not count.")
