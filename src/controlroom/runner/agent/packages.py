"""Bot packages on this machine: fetched once, checked, kept by their hash within a limit, least recently used go first."""

import asyncio
import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO

from controlroom.foundation.errors import Invalid, Unavailable
from controlroom.foundation.telemetry import logger
from controlroom.protocol.plan import AttemptPlan
from controlroom.runner.agent.transfers import TransferFailed, TransferRefused, Transfers
from controlroom.runner.disk import disk_trouble
from controlroom.runner.link.pace import Backoff, Pace

_SHA256_DIGITS = 64
_INCOMING = "incoming-"
_log = logger("runner.packages")


class PackageCache:
    """Packages by their SHA-256, in a folder that only this process writes."""

    def __init__(
        self, folder: Path, transfers: Transfers, *, limit_bytes: int, patience_seconds: float = 300
    ) -> None:
        self._folder = folder
        self._transfers = transfers
        self._limit_bytes = limit_bytes
        self._patience_seconds = patience_seconds
        self._verified: set[str] = set()
        self._in_use: Counter[str] = Counter()
        self._turns: dict[str, asyncio.Lock] = {}

    @asynccontextmanager
    async def package(self, plan: AttemptPlan) -> AsyncIterator[Path]:
        """Give an attempt's package, fetching it where it is not here; it stays for the length of the block.

        Raises `TransferRefused` where it cannot be had or is not what its hash says, and `TransferFailed` where the
        Control Room stays out of reach.
        """
        sha256 = plan.package_sha256
        if len(sha256) != _SHA256_DIGITS or not sha256.isalnum():
            raise Invalid("The plan names its package by something other than a SHA-256.")
        with self._held(sha256):
            async with self._turns.setdefault(sha256, asyncio.Lock()):
                path = self._folder / f"{sha256}.zip"
                if not await self._is_here(sha256, path):
                    await self._fetch_patiently(plan, path)
                    self._verified.add(sha256)
            yield path

    async def trim(self) -> None:
        """Remove what was least recently used, until all is within the limit."""
        self._verified -= await asyncio.to_thread(self._trim, frozenset(self._in_use))

    @contextmanager
    def _held(self, sha256: str) -> Iterator[None]:
        self._in_use[sha256] += 1
        try:
            yield
        finally:
            self._in_use[sha256] -= 1
            if not self._in_use[sha256]:
                del self._in_use[sha256]
                self._turns.pop(sha256, None)

    async def _is_here(self, sha256: str, path: Path) -> bool:
        if sha256 in self._verified:
            try:
                os.utime(path)
            except OSError:
                self._verified.discard(sha256)
                return False
            return True
        if await asyncio.to_thread(_hash_of, path) != sha256:
            return False
        self._verified.add(sha256)
        return True

    async def _fetch_patiently(self, plan: AttemptPlan, path: Path) -> None:
        backoff = Backoff(Pace())
        reason = "The Control Room did not finish sending it in time."
        try:
            async with asyncio.timeout(self._patience_seconds):
                while True:
                    try:
                        return await self._fetch(plan, path)
                    except TransferFailed as failed:
                        _log.warning(
                            "runner.package_delayed", attempt_id=plan.attempt_id, reason=failed.detail
                        )
                        reason = failed.detail
                    await asyncio.sleep(backoff.next_seconds())
        except TimeoutError:
            raise TransferFailed(f"The bot's package could not be fetched. {reason}") from None

    async def _fetch(self, plan: AttemptPlan, path: Path) -> None:
        try:
            file = await asyncio.to_thread(self._open_aside)
        except OSError as error:
            raise _unwritable(error) from None
        aside = Path(file.name)
        try:
            with file:
                came = await self._transfers.fetch_package(plan, file)
            if came != plan.package_sha256:
                raise TransferRefused(
                    f"The package that came has the SHA-256 {came}, not {plan.package_sha256}; it was damaged or replaced."
                )
            await asyncio.to_thread(aside.replace, path)
        except OSError as error:
            raise _unwritable(error) from None
        finally:
            await asyncio.to_thread(aside.unlink, True)
        await self.trim()

    def _open_aside(self) -> BinaryIO:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=_INCOMING)
        os.close(handle)
        return Path(name).open("wb")

    def _trim(self, in_use: frozenset[str]) -> set[str]:
        if not self._folder.is_dir():
            return set()
        found = sorted(
            (path.stat().st_mtime, path.stat().st_size, path) for path in self._folder.glob("*.zip")
        )
        excess = sum(size for _, size, _ in found) - self._limit_bytes
        removed: set[str] = set()
        for _, size, path in found:
            if excess <= 0:
                break
            if path.stem not in in_use:
                path.unlink(missing_ok=True)
                removed.add(path.stem)
                excess -= size
        return removed


def remove_half_fetched(folder: Path) -> None:
    """Delete what a process that was stopped left half fetched. Blocking."""
    for path in folder.glob(f"{_INCOMING}*"):
        path.unlink(missing_ok=True)


def _hash_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _unwritable(error: OSError) -> Unavailable:
    return Unavailable(f"The bot's package could not be kept. {disk_trouble(error)}")
