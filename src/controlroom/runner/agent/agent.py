"""The agent as a whole: what comes over the link becomes work on attempts, and their reports go back over it."""

import asyncio
import os
import time
from collections.abc import Coroutine
from typing import Any

from controlroom.foundation.errors import Unavailable
from controlroom.foundation.telemetry import logger
from controlroom.protocol import PROTOCOL_VERSION
from controlroom.protocol.messages import (
    Ack,
    CancelAttempt,
    Drain,
    Ended,
    FromServer,
    Heartbeat,
    Hello,
    LeaseRenewed,
    Outcome,
    PauseAttempt,
    Refused,
    Report,
    ResumeAttempt,
    StaleAttempt,
    StartAttempt,
    Welcome,
)
from controlroom.protocol.plan import AttemptPlan
from controlroom.runner.agent.attempt import LocalAttempt, Means
from controlroom.runner.agent.attempts import Attempts
from controlroom.runner.agent.execution import Executor
from controlroom.runner.agent.input_files import InputFiles
from controlroom.runner.agent.lease import LeaseBook, lease_clock
from controlroom.runner.agent.packages import PackageCache, remove_half_fetched
from controlroom.runner.agent.status import AgentStatus, write_status
from controlroom.runner.agent.transfers import Transfers
from controlroom.runner.facts import machine_facts, machine_load
from controlroom.runner.identity import Identity
from controlroom.runner.link import Connector, ControlRoomAddress, Link, LinkState
from controlroom.runner.link.long_poll import LongPollTransport
from controlroom.runner.link.pace import Pace
from controlroom.runner.link.websocket import WebSocketTransport
from controlroom.runner.settings import RunnerSettings

_MEGABYTE = 1024 * 1024
_TICK_SECONDS = 1.0
"""How often reports are synced to the disk, leases looked at and the status written."""
_AFTER_GRACE_SECONDS = 10.0
_KILL_SECONDS = 5.0
_GOODBYE_SECONDS = 5.0
_STOPPED = "The Bot Runner was stopped."
_LEASE_OVER = (
    "The Control Room was out of reach for longer than the lease of a bot that must never run twice at once."
)
_log = logger("runner.agent")


class Agent:
    """One runner. `run` is its life; `stop` ends it cleanly, `stop_at_once` in a hurry."""

    def __init__(
        self, identity: Identity, settings: RunnerSettings, executor: Executor, *, pace: Pace | None = None
    ) -> None:
        pace = pace or Pace()
        address = ControlRoomAddress(identity.url, identity.key)
        self._settings = settings
        self._transfers = Transfers(address)
        self._attempts = Attempts(settings, executor, self._transfers)
        packages = PackageCache(
            settings.state / "packages", self._transfers, limit_bytes=settings.package_cache_mb * _MEGABYTE
        )
        self._means = Means(
            executor, packages, asyncio.Semaphore(settings.slots), InputFiles(self._transfers)
        )
        connector = Connector(
            WebSocketTransport(address, welcome_seconds=pace.welcome), LongPollTransport(address), pace
        )
        self._link = Link(connector, self, self._attempts.outbox, pace=pace, watcher=self._link_changed)
        self._facts = machine_facts()
        self._leases = LeaseBook()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._draining = False
        self._started = time.time()
        self._link_state: tuple[LinkState, str, float] = (LinkState.CONNECTING, "", time.time())
        self._status_written: AgentStatus | None = None

    async def run(self) -> None:
        """Recover what was left, keep the link, and do what comes, until `stop` is called."""
        await asyncio.to_thread(remove_half_fetched, self._settings.state / "packages")
        await self._attempts.recover()
        upkeep = [asyncio.create_task(self._link.run()), asyncio.create_task(self._tick())]
        try:
            await self._stopping.wait()
            await self._end_all()
        finally:
            for task in upkeep:
                task.cancel()
            await asyncio.gather(*upkeep, return_exceptions=True)
            await self._attempts.close()
            await self._transfers.close()
            await self._write_status()

    def stop(self) -> None:
        """Take no new attempts, end those that run within their grace time, deliver, take leave."""
        self._stopping.set()

    def stop_at_once(self) -> None:
        """Kill what runs and end; what is not delivered is at the next start."""
        self._hurry.set()
        self._stopping.set()

    # What the link asks (`link.Peer`).

    def hello(self) -> Hello:
        """Return what opens a connection."""
        self._leases.hello_sent()
        held = tuple(attempt.held() for attempt in self._attempts)
        return Hello(PROTOCOL_VERSION, self._facts, self._settings.slots, self._settings.labels, held)

    def heartbeat(self) -> Heartbeat:
        """Return the sign of life, with every attempt that is to live on."""
        held = tuple(attempt.held() for attempt in self._attempts)
        load, memory = machine_load()
        return Heartbeat(held, load, memory, self._leases.heartbeat_sent())

    def welcomed(self, welcome: Welcome) -> None:
        """Take the pace of a new connection."""
        self._leases.welcomed(welcome.lease_seconds)

    async def receive(self, message: FromServer) -> None:
        """Act on a message; whatever takes its time goes on beside the link."""
        match message:
            case StartAttempt(plan=plan):
                await self._start(plan)
            case Ack(attempt_id=attempt_id, closed=True):
                self._close(attempt_id)
            case CancelAttempt():
                self._tell(message.attempt_id, message)
            case PauseAttempt() | ResumeAttempt() | StaleAttempt():
                self._tell(message.attempt_id, message)
            case LeaseRenewed(attempt_ids=attempt_ids, heartbeat=heartbeat):
                self._renew(attempt_ids, heartbeat)
            case Drain(draining=draining):
                self._draining = draining
            case Refused(reason=reason):
                _log.warning("runner.message_refused", reason=reason)
            case _:
                return

    # What comes of it.

    async def _start(self, plan: AttemptPlan) -> None:
        try:
            attempt = await self._attempts.take(plan)
        except Unavailable as error:
            # It cannot be written down, so it is said at once and once; where that is lost, the lease ends the attempt.
            end = Ended(time.time(), Outcome.REJECTED, None, error.detail, error.code)
            await self._link.say(Report(plan.attempt_id, plan.token, 1, end))
            return
        if attempt is None:
            return
        if plan.exclusive:
            # The order may have been under way for longer than the lease that was given with it: the bot waits for the
            # answer to a heartbeat that names it, which is sent from here and so tells how old the lease is.
            self._link.send_heartbeat_now()
        if self._stopping.is_set():
            await attempt.end(Outcome.LOST, _STOPPED)
            return
        _log.info("runner.attempt_begun", attempt_id=plan.attempt_id, run_id=plan.run_id, bot=plan.bot_name)
        attempt.task = self._spawn(self._carry_out(attempt))

    async def _carry_out(self, attempt: LocalAttempt) -> None:
        await attempt.carry_out(self._means)
        _log.info("runner.attempt_ended", attempt_id=attempt.plan.attempt_id, outcome=attempt.outcome)
        attempt.task = None
        await self._attempts.finish(attempt)

    def _close(self, attempt_id: str) -> None:
        attempt = self._attempts.get(attempt_id)
        if attempt is None or attempt.closed:
            return
        attempt.closed = True
        if not attempt.running:
            self._spawn(self._attempts.remove(attempt))
        elif not attempt.spool.ended:
            self._spawn(attempt.kill("The Control Room wants no more of this attempt."))

    def _tell(
        self, attempt_id: str, message: CancelAttempt | PauseAttempt | ResumeAttempt | StaleAttempt
    ) -> None:
        attempt = self._attempts.get(attempt_id)
        if attempt is None or not attempt.running:
            return
        match message:
            case CancelAttempt():
                self._spawn(attempt.cancel(message.grace_seconds, message.outcome, message.reason))
            case PauseAttempt():
                self._spawn(attempt.pause())
            case ResumeAttempt():
                self._spawn(attempt.resume())
            case StaleAttempt(reason=reason):
                _log.warning("runner.attempt_stale", attempt_id=attempt_id, reason=reason)
                self._spawn(attempt.kill(reason))

    def _renew(self, attempt_ids: tuple[str, ...], heartbeat: int) -> None:
        until = self._leases.renewed(heartbeat)
        for attempt_id in attempt_ids:
            attempt = self._attempts.get(attempt_id)
            if attempt is not None and until > lease_clock():
                attempt.lease_given(until)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self._end_overdue()
            await self._attempts.sync()
            await self._write_status()

    def _end_overdue(self) -> None:
        now = lease_clock()
        for attempt in self._attempts:
            if attempt.lease_until < now and attempt.running:
                attempt.lease_until = float("inf")
                _log.warning("runner.lease_over", attempt_id=attempt.plan.attempt_id)
                self._spawn(attempt.kill(_LEASE_OVER))

    async def _end_all(self) -> None:
        running = [attempt for attempt in self._attempts if attempt.running]
        for attempt in running:
            grace = min(attempt.plan.grace_seconds, self._settings.stop_seconds)
            self._spawn(attempt.cancel(grace, Outcome.LOST, _STOPPED))
        hurry = asyncio.create_task(self._hurry.wait())
        await self._wait_for(running, self._settings.stop_seconds + _AFTER_GRACE_SECONDS, hurry)
        left = [attempt for attempt in running if attempt.running]
        for attempt in left:
            self._spawn(attempt.kill(_STOPPED))
        await self._wait_for(left, _KILL_SECONDS)
        goodbye = asyncio.create_task(self._link.say_goodbye(_STOPPED, within_seconds=_GOODBYE_SECONDS))
        await asyncio.wait({goodbye, hurry}, return_when=asyncio.FIRST_COMPLETED)
        for task in (goodbye, hurry, *self._tasks):
            task.cancel()

    async def _wait_for(
        self, attempts: list[LocalAttempt], seconds: float, unless: asyncio.Task[bool] | None = None
    ) -> None:
        ends = [attempt.task for attempt in attempts if attempt.task is not None]
        if ends:
            everything = asyncio.gather(*ends, return_exceptions=True)
            waiting: set[asyncio.Future[Any]] = {asyncio.shield(everything)} | ({unless} if unless else set())
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("runner.task_fault", exc_info=error)

    # What other processes may see.

    def _link_changed(self, state: LinkState, detail: str) -> None:
        self._link_state = (state, detail, time.time())

    async def _write_status(self) -> None:
        status = self._status()
        if self._status_written is None or _content(status) != _content(self._status_written):
            try:
                await asyncio.to_thread(write_status, self._settings.state, status)
            except OSError as error:
                _log.warning("runner.status_not_written", reason=error.strerror)
                return
            self._status_written = status

    def _status(self) -> AgentStatus:
        state, detail, since = self._link_state
        connected = state is LinkState.CONNECTED
        return AgentStatus(
            pid=os.getpid(),
            started=self._started,
            written=time.time(),
            link=state,
            link_since=since,
            transport=detail if connected else "",
            reason="" if connected else detail,
            draining=self._draining,
            running=tuple(attempt.plan.attempt_id for attempt in self._attempts if attempt.running),
            undelivered=tuple(attempt.plan.attempt_id for attempt in self._attempts if not attempt.running),
        )


def _content(status: AgentStatus) -> tuple[object, ...]:
    return (
        status.link,
        status.link_since,
        status.transport,
        status.reason,
        status.draining,
        status.running,
        status.undelivered,
    )
