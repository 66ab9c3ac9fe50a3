"""All attempts that this runner has and has not yet seen closed: begun, recovered, removed."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from controlroom.foundation.errors import Invalid, Unavailable
from controlroom.foundation.telemetry import logger
from controlroom.protocol.messages import Outcome
from controlroom.protocol.plan import AttemptPlan
from controlroom.runner.agent.artifacts import Artifacts
from controlroom.runner.agent.attempt import LocalAttempt
from controlroom.runner.agent.execution import Executor
from controlroom.runner.agent.folder import AttemptFolder, create_folder, existing_folders, remove_folder
from controlroom.runner.agent.transfers import Transfers
from controlroom.runner.disk import disk_trouble
from controlroom.runner.link.outbox import Outbox
from controlroom.runner.settings import RunnerSettings
from controlroom.runner.spool import Entry, Spool

_REMEMBERED_CLOSED = 4096
_UPLOADS_AT_ONCE = 2
_LEFTOVERS_SECONDS = 30.0
_MEGABYTE = 1024 * 1024
_KEPT = "kept"
_FOUND_GONE = "The Bot Runner was stopped while the bot ran."
_log = logger("runner.attempts")


class Attempts:
    """The attempts by their id. For one event loop."""

    def __init__(self, settings: RunnerSettings, executor: Executor, transfers: Transfers) -> None:
        self._folder = settings.state / "attempts"
        self._kept = settings.state / _KEPT
        self._keep_failed = settings.keep_failed
        self._spool_bytes = settings.spool_mb * _MEGABYTE
        self._executor = executor
        self._transfers = transfers
        self._held: dict[str, LocalAttempt] = {}
        self._closed: deque[str] = deque(maxlen=_REMEMBERED_CLOSED)
        self._upload_turns = asyncio.Semaphore(_UPLOADS_AT_ONCE)
        self.outbox = Outbox(self._gate)

    def __iter__(self) -> Iterator[LocalAttempt]:
        return iter(tuple(self._held.values()))

    def get(self, attempt_id: str) -> LocalAttempt | None:
        """Return an attempt that this runner has."""
        return self._held.get(attempt_id)

    async def recover(self) -> None:
        """Take up what an earlier process left: no bot of it goes on, and each attempt gets its end."""
        for folder in await asyncio.to_thread(existing_folders, self._folder):
            plan = await asyncio.to_thread(folder.read_plan)
            if plan is None:
                await self._end_leftovers(folder)
                await asyncio.to_thread(folder.remove)
                continue
            attempt = await self._open(plan, folder)
            if not attempt.spool.ended:
                _log.warning("runner.attempt_found", attempt_id=plan.attempt_id)
                await self._end_leftovers(folder)
                await attempt.end(Outcome.LOST, _FOUND_GONE)
            await self._executor.discard(folder.workspace)

    async def take(self, plan: AttemptPlan) -> LocalAttempt | None:
        """Make an attempt's folder and spool; None where this runner has or had it.

        Raises `Unavailable` where it cannot keep the attempt; nothing of it is left then.
        """
        if plan.attempt_id in self._held or plan.attempt_id in self._closed:
            return None
        try:
            folder = await asyncio.to_thread(create_folder, self._folder, plan)
            return None if folder is None else await self._open(plan, folder)
        except (OSError, Invalid) as error:
            _log.error(  # the sentence is for the operator, a traceback would hide it
                "runner.attempt_not_kept", attempt_id=plan.attempt_id, reason=str(error)
            )
            await asyncio.to_thread(remove_folder, self._folder, plan.attempt_id)
            words = disk_trouble(error) if isinstance(error, OSError) else error.detail
            raise Unavailable(words) from None

    async def finish(self, attempt: LocalAttempt) -> None:
        """Clear up behind a bot that has ended; what is to be delivered stays."""
        workspace = attempt.folder.workspace
        if self._keep_failed and attempt.outcome not in (Outcome.SUCCEEDED, Outcome.CANCELLED):
            await self._keep(workspace, attempt.plan.attempt_id)
        await self._executor.discard(workspace)
        if attempt.closed:
            await self.remove(attempt)

    async def remove(self, attempt: LocalAttempt) -> None:
        """Forget an attempt that the Control Room wants no more of."""
        attempt_id = attempt.plan.attempt_id
        self._closed.append(attempt_id)
        self.outbox.remove(attempt_id)
        self._held.pop(attempt_id, None)
        await attempt.artifacts.close()
        await attempt.spool.remove(attempt.folder.root)

    async def sync(self) -> None:
        """Bring all that was reported to the disk itself."""
        for attempt in self:
            if attempt.spool.unsynced:
                try:
                    await attempt.spool.sync()
                except OSError as error:
                    _log.error(  # the sentence is for the operator, a traceback would hide it
                        "runner.spool_not_synced", attempt_id=attempt.plan.attempt_id, reason=error.strerror
                    )

    async def close(self) -> None:
        """Let go of all files; a later process delivers what is left."""
        for attempt in self:
            await attempt.artifacts.close()
            with contextlib.suppress(OSError):
                await attempt.spool.close()

    async def _open(self, plan: AttemptPlan, folder: AttemptFolder) -> LocalAttempt:
        spool = await Spool.open(folder.spool, plan.attempt_id, plan.token, limit_bytes=self._spool_bytes)
        artifacts = Artifacts(
            folder.artifacts,
            plan.attempt_id,
            plan.token,
            transfers=self._transfers,
            outbox=self.outbox,
            turns=self._upload_turns,
        )
        attempt = LocalAttempt(plan, folder, spool, artifacts, self.outbox)
        self._held[plan.attempt_id] = attempt
        self.outbox.add(plan.attempt_id, spool)
        return attempt

    def _gate(self, attempt_id: str, entry: Entry) -> Entry | None:
        attempt = self._held.get(attempt_id)
        return entry if attempt is None else attempt.artifacts.gate(entry)

    async def _end_leftovers(self, folder: AttemptFolder) -> None:
        try:
            async with asyncio.timeout(_LEFTOVERS_SECONDS):
                await self._executor.end_leftovers(folder.workspace)
        except TimeoutError:
            _log.error("runner.leftovers_not_ended", attempt=folder.root.name)

    async def _keep(self, workspace: Path, attempt_id: str) -> None:
        try:
            await asyncio.to_thread(_move_aside, workspace, self._kept / attempt_id, self._keep_failed)
        except OSError as error:
            _log.warning("runner.workspace_not_kept", attempt_id=attempt_id, reason=error.strerror)
            return
        for folder in await asyncio.to_thread(_beyond, self._kept, self._keep_failed):
            await self._executor.discard(folder)


def _move_aside(workspace: Path, kept: Path, most: int) -> None:
    if most and workspace.exists():
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        workspace.rename(kept)
        kept.touch()


def _beyond(kept: Path, most: int) -> list[Path]:
    newest_first = sorted(kept.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    return newest_first[most:]
