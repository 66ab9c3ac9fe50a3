"""Fetches the files among an attempt's inputs into its workspace: checked, read-only, before the bot starts."""

import asyncio
import shutil
from pathlib import Path

from controlroom.foundation.errors import ControlRoomError, Unavailable
from controlroom.foundation.telemetry import logger
from controlroom.protocol.plan import AttemptPlan, PlannedFile
from controlroom.runner.agent.transfers import TransferFailed, TransferRefused, Transfers
from controlroom.runner.disk import NEARLY_FULL_BYTES, disk_trouble
from controlroom.runner.input_files import READ_ONLY_FILE, READ_ONLY_FOLDER, paths_of
from controlroom.runner.link.pace import Backoff, Pace

_log = logger("runner.input_files")


class InputFileDamaged(ControlRoomError):
    """What came is not the file that was announced."""

    code = "input_file_damaged"
    title = "A file among the inputs is damaged"


class InputFiles:
    """Fetches files of this runner's attempts; each is fetched for each attempt anew and goes with its workspace."""

    def __init__(self, transfers: Transfers, *, patience_seconds: float = 300) -> None:
        self._transfers = transfers
        self._patience_seconds = patience_seconds

    async def fetch(self, plan: AttemptPlan, folder: Path) -> None:
        """Bring all files of a plan into a folder.

        Raises `TransferRefused` where one cannot be had, `InputFileDamaged` where it is not what its hash says,
        `Unavailable` where the disk has no room for them, and `TransferFailed` where the Control Room stays out of reach.
        """
        try:
            await asyncio.to_thread(_make_room, plan, folder)
            files = {file.file_id: file for file in plan.files}
            for file_id, path in paths_of(plan.files, folder).items():
                await self._fetch_patiently(plan, files[file_id], path)
            await asyncio.to_thread(folder.chmod, READ_ONLY_FOLDER)
        except OSError as error:
            raise Unavailable(
                f"The files among the inputs could not be kept. {disk_trouble(error)}"
            ) from None

    async def _fetch_patiently(self, plan: AttemptPlan, planned: PlannedFile, path: Path) -> None:
        backoff = Backoff(Pace())
        reason = "The Control Room did not finish sending it in time."
        try:
            async with asyncio.timeout(self._patience_seconds):
                while True:
                    try:
                        return await self._fetch(plan, planned, path)
                    except TransferFailed as failed:
                        _log.warning(
                            "runner.input_file_delayed", attempt_id=plan.attempt_id, reason=failed.detail
                        )
                        reason = failed.detail
                    await asyncio.sleep(backoff.next_seconds())
        except TimeoutError:
            raise TransferFailed(f"The input {planned.name!r} could not be fetched. {reason}") from None

    async def _fetch(self, plan: AttemptPlan, planned: PlannedFile, path: Path) -> None:
        file = await asyncio.to_thread(path.open, "wb")
        try:
            came = await self._transfers.fetch_input(plan, planned, file)
        except TransferRefused as refused:
            raise TransferRefused(f"The input {planned.name!r} cannot be had. {refused.detail}") from None
        finally:
            await asyncio.to_thread(file.close)
        if came != planned.sha256:
            raise InputFileDamaged(
                f"The input {planned.name!r} came with the SHA-256 {came}, not {planned.sha256}; it was damaged or replaced."
            )
        await asyncio.to_thread(path.chmod, READ_ONLY_FILE)


def _make_room(plan: AttemptPlan, folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o700)
    needed = sum({file.file_id: file.size_bytes for file in plan.files}.values())
    free = shutil.disk_usage(folder).free
    if free < needed + NEARLY_FULL_BYTES:
        raise Unavailable(
            f"The files among the inputs need {needed:,} bytes, and the Bot Runner's disk has {free:,} left; "
            "free some space on the device."
        )
