"""What people and programs can do with runs. Rights are checked here, for the API and the pages alike."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.bots.lookup import version_for_run
from controlroom.bots.manifest import Manifest
from controlroom.bots.models import Bot, BotVersion
from controlroom.bots.rights import bots_for, place_of, place_of_bot_id
from controlroom.foundation.blobs import BlobStore
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction
from controlroom.foundation.errors import ControlRoomError
from controlroom.foundation.paging import LARGEST_LIMIT, Page, PageRequest, fetch_page
from controlroom.foundation.settings import Settings
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import EVERYWHERE, At
from controlroom.runs import control, queries
from controlroom.runs.bulk import MOST_BY_FILTER, BulkAction, Selection, summary
from controlroom.runs.compare import compare_runs, last_success
from controlroom.runs.errors import NothingToCompareWith
from controlroom.runs.log import LogQuery, read_log
from controlroom.runs.models import Artifact, Attempt, Run
from controlroom.runs.newest import bots_that_ran, keys_by_bot
from controlroom.runs.queries import LogStretch
from controlroom.runs.request import add_run, checked_inputs, existing_run, places_of_files
from controlroom.runs.schemas import (
    BulkIn,
    BulkResult,
    BulkSummary,
    ComparisonOut,
    LogOut,
    RepeatIn,
    RetryIn,
    RunDetailOut,
    RunIn,
    UsageOut,
    UsageSampleOut,
)
from controlroom.runs.states import ENDED, State
from controlroom.runs.usage import Sample, samples_of, samples_of_run

Change = Callable[[Caller, str], Awaitable[Run]]

_RIGHT_TO = {BulkAction.CANCEL: Permission.RUN_CONTROL, BulkAction.REPEAT: Permission.RUN_REQUEST}


class RunService:
    """Requests, controls and reads runs, as ``app.state.runs``."""

    def __init__(self, database: Database, blobs: BlobStore, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._settings = settings

    async def request(self, caller: Caller, wanted: RunIn) -> tuple[Run, bool]:
        """Ask for a run; return it and whether it is new, or was made before by the same idempotency key."""
        caller.require(Permission.RUN_REQUEST)
        try:
            return await self._request(caller, wanted)
        except IntegrityError:  # the same key came twice at once; the other request made the run
            return await self._request(caller, wanted)

    async def _request(self, caller: Caller, wanted: RunIn) -> tuple[Run, bool]:
        async with self._database.read(brief=True) as session:
            found = await existing_run(session, caller, wanted)
            if found is not None:
                return found, False
            version = await self._version(session, caller, wanted)
        return await self._write(caller, wanted, version), True

    async def _write(
        self,
        caller: Caller,
        wanted: RunIn,
        version: tuple[Bot, BotVersion, Manifest],
        repeats_run_id: str | None = None,
    ) -> Run:
        inputs = await checked_inputs(version[2], wanted)
        places = await places_of_files(version[2], wanted, inputs)
        async with self._database.write(brief=True) as transaction:
            return await add_run(
                transaction,
                caller,
                wanted,
                version,
                inputs,
                now=self._clock.now(),
                repeats_run_id=repeats_run_id,
                places=places,
            )

    async def repeat(self, caller: Caller, run_id: str, wanted: RepeatIn) -> Run:
        """Ask for the same again, with the same version and target, and with other inputs where they are given."""
        caller.require(Permission.RUN_REQUEST)
        async with self._database.read() as session:
            before = await queries.run_for(session, caller, Permission.RUN_REQUEST, run_id)
            again = RunIn.model_construct(  # what was taken once is not held to the bounds of new requests
                bot=before.bot_id,
                version=before.version_number,
                task=before.task,
                inputs=before.inputs if wanted.inputs is None else wanted.inputs,
                device=before.target_device_id,
                pool=before.target_pool_id,
                labels=before.labels,
                priority=before.priority,
                timeout_seconds=before.timeout_seconds or None,
                retry=RetryIn(**before.retry),
                reason=wanted.reason or f"Repeats {before.id}.",
            )
            version = await self._version(session, caller, again)
        return await self._write(caller, again, version, before.id)

    async def cancel(self, caller: Caller, run_id: str, reason: str = "") -> Run:
        """Cancel a run: at once while it waits, through its runner once it is active."""
        async with self._database.write() as transaction:
            run = await self._controlled(transaction, caller, run_id)
            await control.cancel_run(transaction, run, caller, reason, now=self._clock.now())
            return run

    async def pause(self, caller: Caller, run_id: str) -> Run:
        """Halt a running bot."""
        async with self._database.write() as transaction:
            run = await self._controlled(transaction, caller, run_id)
            await control.pause_run(transaction, run, caller, now=self._clock.now())
            return run

    async def resume(self, caller: Caller, run_id: str) -> Run:
        """Let a paused bot go on."""
        async with self._database.write() as transaction:
            run = await self._controlled(transaction, caller, run_id)
            await control.resume_run(transaction, run, caller, now=self._clock.now())
            return run

    async def summarise(self, caller: Caller, action: BulkAction, wanted: BulkIn) -> BulkSummary:
        """Say what a bulk action would do, without doing it."""
        caller.require(_RIGHT_TO[action])
        return summary(action, await self._split(caller, action, await self.selected(caller, wanted)))

    async def do_to_many(self, caller: Caller, action: BulkAction, wanted: BulkIn) -> list[BulkResult]:
        """Cancel many runs, or run many again; each stands for itself, and those that have ended stay."""
        caller.require(_RIGHT_TO[action])
        ids = wanted.ids
        if wanted.filter is not None:
            chosen = await self._split(caller, action, await self.selected(caller, wanted))
            ids = [run.id for run in chosen.runs if action is BulkAction.REPEAT or run.state not in ENDED]
        if action is BulkAction.CANCEL:
            return await self.each(caller, ids, lambda who, run_id: self.cancel(who, run_id, wanted.reason))
        again = RepeatIn(reason=wanted.reason)
        return await self.each(caller, ids, lambda who, run_id: self.repeat(who, run_id, again))

    async def selected(self, caller: Caller, wanted: BulkIn) -> Selection:
        """Return the runs that a bulk action is for, among those that the caller may read."""
        caller.require(Permission.RUN_READ)
        if wanted.filter is not None:
            asked = PageRequest(wanted.filter, limit=LARGEST_LIMIT)
            page = await self.list(caller, asked)
            found = page.items
            while (
                len(found) < MOST_BY_FILTER and page.next_cursor
            ):  # a page that found none may have a next one
                page = await self.list(caller, replace(asked, cursor=page.next_cursor))
                found = [*found, *page.items]
            return Selection(found, more=page.next_cursor is not None)
        async with self._database.read() as session:
            query = select(Run).where(Run.id.in_(wanted.ids), *queries.runs_for(caller))
            known = {run.id: run for run in await session.scalars(query)}
        ids = dict.fromkeys(wanted.ids)
        return Selection(
            [known[each] for each in ids if each in known], [each for each in ids if each not in known]
        )

    async def _split(self, caller: Caller, action: BulkAction, found: Selection) -> Selection:
        """Put those runs apart that the caller sees and may not do this with."""
        allowed = bots_for(caller, _RIGHT_TO[action])
        if not allowed:
            return found
        async with self._database.read() as session:
            bots = {run.bot_id for run in found.runs}
            changeable = set(await session.scalars(select(Bot.id).where(Bot.id.in_(bots), *allowed)))
        kept = [run for run in found.runs if run.bot_id in changeable]
        return replace(found, runs=kept, barred=len(found.runs) - len(kept))

    async def each(self, caller: Caller, run_ids: Sequence[str], change: Change) -> list[BulkResult]:
        """Do one thing to many runs, each in a transaction of its own, and say what became of each."""
        results: list[BulkResult] = []
        for run_id in run_ids:
            try:
                run = await change(caller, run_id)
                results.append(BulkResult(id=run.id, done=True))
            except ControlRoomError as error:
                results.append(BulkResult(id=run_id, done=False, message=error.detail))
        return results

    async def list(self, caller: Caller, request: PageRequest) -> Page[Run]:
        """Return a page of runs, newest first unless asked otherwise."""
        caller.require(Permission.RUN_READ)
        async with self._database.read() as session:
            query = select(Run).where(*queries.runs_for(caller))
            bots = await bots_that_ran(session, bots_for(caller, Permission.RUN_READ))
            keys = keys_by_bot(bots, request) if bots is not None else None
            return await fetch_page(session, query, queries.GRAMMAR, request, keys)

    async def get(self, caller: Caller, run_id: str) -> Run:
        """Return a run."""
        caller.require(Permission.RUN_READ)
        async with self._database.read() as session:
            return await queries.run_for(session, caller, Permission.RUN_READ, run_id)

    async def detail(self, caller: Caller, run_id: str) -> RunDetailOut:
        """Return a run with its attempts and history, and why it waits."""
        caller.require(Permission.RUN_READ)
        async with self._database.read() as session:
            run = await queries.run_for(session, caller, Permission.RUN_READ, run_id)
            return await queries.run_detail(session, caller, run, self._clock.now(), self._settings)

    async def place(self, caller: Caller, bot_id: str) -> At:
        """Return where a bot's runs lie, to ask for rights there; nobody is asked where all rights hold everywhere."""
        if caller.placed is None:
            return EVERYWHERE
        async with self._database.read() as session:
            return await place_of_bot_id(session, bot_id)

    async def attempts(self, caller: Caller, run_id: str) -> Sequence[Attempt]:
        """Return a run's attempts, first to last."""
        caller.require(Permission.RUN_READ)
        async with self._database.read() as session:
            await queries.run_for(session, caller, Permission.RUN_READ, run_id)
            return await queries.attempts_of(session, run_id)

    async def attempt(self, caller: Caller, attempt_id: str) -> Attempt:
        """Return one attempt."""
        caller.require(Permission.RUN_READ)
        async with self._database.read() as session:
            return await queries.attempt_for(session, caller, attempt_id)

    async def log(self, caller: Caller, attempt_id: str, query: LogQuery) -> LogOut:
        """Return a stretch of an attempt's log."""
        caller.require(Permission.RUN_READ)
        async with self._database.read() as session:
            return await read_log(session, await queries.attempt_for(session, caller, attempt_id), query)

    async def compare(self, caller: Caller, run_id: str, other_id: str = "") -> ComparisonOut:
        """Compare a run with another, or with the last of its bot that succeeded; raise `NothingToCompareWith`."""
        caller.require(Permission.RUN_READ)
        async with self._database.read() as session:
            run = await queries.run_for(session, caller, Permission.RUN_READ, run_id)
            if other_id:
                other: Run | None = await queries.run_for(session, caller, Permission.RUN_READ, other_id)
            else:
                other = await last_success(session, run)
            if other is None:
                raise NothingToCompareWith(f"No other run of '{run.bot_name}' has succeeded yet.")
            return await compare_runs(session, run, other)

    async def log_stretches(self, caller: Caller, run_id: str) -> Sequence[LogStretch]:
        """Return when the lines of a run's log came, by stretches, for a picture of their density."""
        caller.require(Permission.RUN_READ)
        async with self._database.read() as session:
            await queries.run_for(session, caller, Permission.RUN_READ, run_id)
            return await queries.log_stretches(session, run_id)

    async def usage(self, caller: Caller, attempt_id: str) -> UsageOut:
        """Return what an attempt's processes used over time."""
        caller.require(Permission.RUN_READ)
        async with self._database.read() as session:
            attempt = await queries.attempt_for(session, caller, attempt_id)
            samples = await samples_of(session, attempt.id)
        return UsageOut(
            attempt_id=attempt.id,
            samples=[UsageSampleOut.model_validate(sample) for sample in samples],
            peak_processors=max((sample.processors for sample in samples), default=0),
            peak_memory_bytes=max(
                [int(attempt.usage.get("peak_memory_bytes", 0)), *(sample.memory_bytes for sample in samples)]
            ),
        )

    async def usage_samples(self, caller: Caller, run_id: str) -> Sequence[Sample]:
        """Return what the processes of all attempts of a run used over time, oldest first."""
        caller.require(Permission.RUN_READ)
        async with self._database.read() as session:
            await queries.run_for(session, caller, Permission.RUN_READ, run_id)
            return await samples_of_run(session, run_id)

    async def artifacts(self, caller: Caller, run_id: str) -> Sequence[Artifact]:
        """Return the files that a run's attempts left."""
        caller.require(Permission.RUN_READ)
        async with self._database.read() as session:
            await queries.run_for(session, caller, Permission.RUN_READ, run_id)
            query = (
                select(Artifact).where(Artifact.run_id == run_id).order_by(Artifact.created_at, Artifact.name)
            )
            return (await session.scalars(query)).all()

    async def artifact_file(self, caller: Caller, artifact_id: str) -> tuple[Artifact, Path]:
        """Return an artifact and where its content lies, after checking that it is unharmed."""
        caller.require(Permission.RUN_READ)
        async with self._database.read() as session:
            artifact = await queries.artifact_for(session, caller, artifact_id)
        return artifact, await self._blobs.verified_path(artifact.sha256)

    async def overview(self, caller: Caller) -> Mapping[State, int]:
        """Count the runs that live, and those of the last day that ended, by state."""
        caller.require(Permission.RUN_READ)
        async with self._database.read() as session:
            return await queries.count_by_state(session, self._clock.now(), queries.runs_for(caller))

    @staticmethod
    async def _version(
        session: AsyncSession, caller: Caller, wanted: RunIn
    ) -> tuple[Bot, BotVersion, Manifest]:
        """Return what a run needs of a bot that the caller may have run."""
        seen = bots_for(caller, Permission.BOT_READ, Permission.RUN_REQUEST)
        version = await version_for_run(session, wanted.bot, wanted.version, among=seen)
        caller.require(Permission.RUN_REQUEST, place_of(version[0]))
        return version

    @staticmethod
    async def _controlled(transaction: Transaction, caller: Caller, run_id: str) -> Run:
        run = await queries.run_for(transaction.session, caller, Permission.RUN_CONTROL, run_id)
        await transaction.session.refresh(run, with_for_update=True)
        return run
