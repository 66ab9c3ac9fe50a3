"""One attempt on this runner, from the order to start it until the Control Room wants no more of it."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from controlroom.foundation.errors import ControlRoomError
from controlroom.foundation.telemetry import logger
from controlroom.protocol.messages import Ended, HeldAttempt, Log, Outcome, Preparing, ReportBody
from controlroom.protocol.plan import AttemptPlan
from controlroom.runner.agent.artifacts import Artifacts
from controlroom.runner.agent.execution import Execution, Executor
from controlroom.runner.agent.folder import AttemptFolder
from controlroom.runner.agent.input_files import InputFiles
from controlroom.runner.agent.packages import PackageCache
from controlroom.runner.agent.transfers import TransferFailed
from controlroom.runner.link.outbox import Outbox
from controlroom.runner.spool import Spool

_log = logger("runner.attempt")
_STOP_FAULT = "The Bot Runner met a fault of its own while it ran the bot; see the runner's log."


@dataclass(frozen=True, slots=True)
class Means:
    """What every attempt of a runner uses."""

    executor: Executor
    packages: PackageCache
    slots: asyncio.Semaphore
    input_files: InputFiles


@dataclass(frozen=True, slots=True)
class _Stop:
    outcome: Outcome
    reason: str


class LocalAttempt:
    """An attempt's plan, folder, spool and, while it runs, its execution."""

    def __init__(
        self, plan: AttemptPlan, folder: AttemptFolder, spool: Spool, artifacts: Artifacts, outbox: Outbox
    ) -> None:
        self.plan = plan
        self.folder = folder
        self.spool = spool
        self.artifacts = artifacts
        self.closed = False
        """Whether the Control Room wants no more of it."""
        self.lease_until = float("inf")
        """On `lease.lease_clock`; only an exclusive attempt that was given a lease has an end to it here."""
        self.task: asyncio.Task[None] | None = None
        """Carries the attempt out; None for one that an earlier process began."""
        self.outcome: Outcome | None = None
        self.asked_to_end = False
        """Whether a cancel was passed on; the Control Room repeats its orders, and the first one counts."""
        self._outbox = outbox
        self._execution: Execution | None = None
        self._work: asyncio.Task[None] | None = None
        self._stop: _Stop | None = None
        """Asked for before the execution began."""
        self._has_lease = asyncio.Event()
        if not plan.exclusive:
            self._has_lease.set()

    @property
    def running(self) -> bool:
        """Whether it may still have processes on this machine."""
        return self.task is not None and not self.task.done()

    def lease_given(self, until: float) -> None:
        """Take note of a lease that lasts until a moment of `lease.lease_clock`; an exclusive bot may begin with the first."""
        if self.plan.exclusive:
            self.lease_until = until
            self._has_lease.set()

    def held(self) -> HeldAttempt:
        """Say that this runner has the attempt, and how far it is."""
        return HeldAttempt(
            self.plan.attempt_id, self.plan.token, self.spool.last, self.running and not self.spool.ended
        )

    async def report(self, body: ReportBody) -> None:
        """Keep a report (this is the `ReportSink`); log lines wait here while the Control Room is slow."""
        if isinstance(body, Log):
            await self._outbox.wait_for_room(self.spool)
        if isinstance(body, Ended):
            self.outcome = body.outcome
        await self.spool.append(body)

    async def end(self, outcome: Outcome, message: str, *, error_type: str = "") -> None:
        """Write the attempt's end, where it is not written yet."""
        if not self.spool.ended:
            await self.report(Ended(time.time(), outcome, None, message, error_type))

    async def carry_out(self, means: Means) -> None:
        """Wait for a slot, get the package, run the bot; leaves an end in the spool and no process in any case."""
        self._work = asyncio.create_task(self._do_work(means))
        if self._stop is not None:
            self._work.cancel()
        try:
            await self._work
        except asyncio.CancelledError:
            if self._stop is None:
                raise
            await self.end(self._stop.outcome, self._stop.reason)
        except TransferFailed as failed:
            await self.end(Outcome.LOST, failed.detail, error_type=failed.code)
        except ControlRoomError as error:
            await self.end(Outcome.REJECTED, error.detail, error_type=error.code)
        except Exception:
            _log.exception("runner.attempt_fault", attempt_id=self.plan.attempt_id)
            await means.executor.end_leftovers(self.folder.workspace)
            await self.end(Outcome.LOST, _STOP_FAULT)
        finally:
            self._execution = None

    async def cancel(self, grace_seconds: float, outcome: Outcome, reason: str) -> None:
        """End the bot: politely, and after the grace time by force; one that has not begun ends at once."""
        if self.asked_to_end:
            return
        self.asked_to_end = True
        if self._execution is not None:
            await self._execution.cancel(grace_seconds, outcome, reason)
        else:
            self._ask_to_stop(outcome, reason)

    async def kill(self, reason: str) -> None:
        """End the bot with its whole process tree at once."""
        if self._execution is not None:
            await self._execution.kill(reason)
        else:
            self._ask_to_stop(Outcome.LOST, reason)

    async def pause(self) -> None:
        """Halt the bot, where it runs."""
        if self._execution is not None:
            await self._execution.pause()

    async def resume(self) -> None:
        """Let the bot go on."""
        if self._execution is not None:
            await self._execution.resume()

    def _ask_to_stop(self, outcome: Outcome, reason: str) -> None:
        if self._stop is None:
            self._stop = _Stop(outcome, reason)
            if self._work is not None:
                self._work.cancel()

    async def _do_work(self, means: Means) -> None:
        await self._has_lease.wait()
        if means.slots.locked():
            await self.report(Preparing("Waiting for a free slot."))
        async with means.slots, means.packages.package(self.plan) as package:
            if self.plan.files:
                await self.report(Preparing("Fetching the files among its inputs."))
                await means.input_files.fetch(self.plan, self.folder.input_files)
            await self._execute(means.executor, package)

    async def _execute(self, executor: Executor, package: Path) -> None:
        execution = executor.begin(
            self.plan, package=package, workspace=self.folder.workspace, sink=self, uploader=self.artifacts
        )
        self._execution = execution
        await execution.run()
        await self.end(Outcome.LOST, "The Bot Runner did not learn how the bot ended.")
