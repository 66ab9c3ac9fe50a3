"""One attempt from its plan to its end."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

from controlroom.foundation.errors import ControlRoomError
from controlroom.foundation.telemetry import logger
from controlroom.protocol.messages import Ended, Outcome, Paused, Preparing, Resumed, Started, Usage
from controlroom.protocol.plan import AttemptPlan
from controlroom.protocol.records import Level
from controlroom.runner.disk import disk_trouble, is_nearly_full
from controlroom.runner.environments import EnvironmentLease
from controlroom.runner.execution.artifacts import ArtifactCollector, ArtifactUploader
from controlroom.runner.execution.capture import Capture
from controlroom.runner.execution.channel import ChannelReader
from controlroom.runner.execution.endings import Ending, Stop, judge
from controlroom.runner.execution.orders import OrderBook
from controlroom.runner.execution.reports import Reporter, ReportSink
from controlroom.runner.execution.sampling import UsageSampler
from controlroom.runner.execution.services import ExecutionServices
from controlroom.runner.execution.stopping import Stopped, StopSwitch
from controlroom.runner.execution.supervise import Stopwatch, Supervision
from controlroom.runner.execution.workspace import Workspace
from controlroom.runner.platform.contract import BotProcess, ExitFacts, ProcessOrder, TreeUse

__all__ = ["ArtifactUploader", "AttemptExecution", "ReportSink"]

_BUILD_LINES_LIMIT = 5_000
_COLLECT_AFTER_STOP_SECONDS = 60.0
_log = logger("runner.execution")


@dataclass(slots=True)
class _Course:
    """What has become of the attempt so far."""

    started: bool = False
    exit_code: int | None = None
    cpu_seconds: float = 0
    peak_memory_bytes: int = 0
    last_error_line: str = ""
    clock: Stopwatch = field(default_factory=Stopwatch)
    """Runs from the first process on, pre-run commands included."""
    sampler: UsageSampler = field(default_factory=UsageSampler)


class AttemptExecution:
    """Carries out one attempt. `run` is called once; the other methods at any time, before and after it too.

    `run` reports Preparing, Started, logs, outputs, artifacts and exactly one Ended, which is last. It raises only
    where the sink does, after the bot was killed.
    """

    def __init__(
        self,
        plan: AttemptPlan,
        *,
        package: Path,
        workspace: Path,
        sink: ReportSink,
        uploader: ArtifactUploader,
        services: ExecutionServices,
    ) -> None:
        self._plan = plan
        self._package = package
        self._workspace = Workspace.at(workspace)
        self._sink = sink
        self._uploader = uploader
        self._services = services
        self._switch = StopSwitch()
        self._process: BotProcess | None = None
        self._course: _Course | None = None
        self._reporter: Reporter | None = None
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Carry the attempt out and report its end."""
        course = self._course = _Course()
        reporter = self._reporter = Reporter(self._sink, line_limit=self._plan.limits.log_lines)
        has_link = True
        try:
            ending = await self._judged(course, reporter)
            usage = Usage(
                course.cpu_seconds, course.peak_memory_bytes, course.clock.seconds() if course.started else 0
            )
            await asyncio.to_thread(self._make_room)
            has_link = False
            now = time.time()
            self._reporter = None
            await reporter.finish(
                Ended(now, ending.outcome, course.exit_code, ending.message, ending.error_type, usage), now
            )
        finally:
            await reporter.abandon()
            if has_link:
                await asyncio.to_thread(self._workspace.remove_link)
            self._over.set()

    def _make_room(self) -> None:
        """Take away what only the bot needed outside of its folder, and on a full disk all that it left: last words need room."""
        self._workspace.remove_link()
        if is_nearly_full(self._workspace.root):
            self._workspace.empty()

    async def cancel(self, grace_seconds: float, outcome: Outcome, reason: str) -> None:
        """Ask the bot to end, and have its whole tree ended after the grace time. Returns at once."""
        self._switch.request(Stop(outcome, reason or "The run was cancelled."), grace_seconds)

    async def kill(self, reason: str) -> None:
        """End the whole tree now; the attempt counts as lost. Returns when `run` has reported its end."""
        self._switch.request(Stop(Outcome.LOST, reason), 0)
        if self._course is not None:
            await self._over.wait()

    async def pause(self) -> None:
        """Halt the bot's processes; its time-out stands still. Does nothing before the bot runs or after its end."""
        course, process, reporter = self._course, self._process, self._reporter
        if not course or not process or not reporter or course.clock.halted or self._switch.stop is not None:
            return
        course.clock.halt()
        await process.pause()
        reporter.add(Paused(time.time()))

    async def resume(self) -> None:
        """Let the bot's processes go on. Does nothing where they are not halted."""
        course, process, reporter = self._course, self._process, self._reporter
        if not course or not process or not reporter or not course.clock.halted:
            return
        process.resume()
        course.clock.go_on()
        reporter.add(Resumed(time.time()))

    async def _judged(self, course: _Course, reporter: Reporter) -> Ending:
        """Carry out, whatever comes; return the judgement."""
        lease: EnvironmentLease | None = None
        try:
            await self._switch.unless_stopped(
                asyncio.to_thread(self._workspace.prepare, self._plan, self._package)
            )
            lease = await self._switch.unless_stopped(self._environment(reporter))
            return await self._execute(
                OrderBook(
                    self._plan,
                    self._workspace,
                    lease,
                    self._services.platform,
                    self._services.control_room_url,
                ),
                course,
            )
        except Stopped:
            stop = self._switch.stop or Stop(Outcome.CANCELLED, "")
            return Ending(stop.outcome, stop.reason)
        except (ControlRoomError, OSError) as error:
            if reporter.delivery.done():
                raise
            words = disk_trouble(error) if isinstance(error, OSError) else error.detail
            return Ending(Outcome.REJECTED, words, type(error).__name__)
        finally:
            if lease is not None:
                lease.release()

    async def _environment(self, reporter: Reporter) -> EnvironmentLease:
        lines = 0

        def on_line(line: str) -> None:
            nonlocal lines
            lines += 1
            if lines <= _BUILD_LINES_LIMIT:
                reporter.say(line, time.time())

        def on_build() -> None:
            reporter.add(Preparing("Building the environment"))

        return await self._services.environments.lease(self._plan.environment, on_line, on_build)

    async def _execute(self, orders: OrderBook, course: _Course) -> Ending:
        reporter = self._required_reporter()
        folders = [self._workspace.artifacts]
        if self._plan.launch.artifacts_folder:
            folders.append(self._workspace.within_package(self._plan.launch.artifacts_folder))
        collector = ArtifactCollector(folders, self._uploader, reporter, self._plan.limits.artifacts_mb)
        try:
            channel = ChannelReader(reporter, collector.offer)
            course.clock = Stopwatch()
            for command in self._plan.launch.pre_run:
                reporter.add(Preparing(f"Running {' '.join(command)}"))
                await self._run_process(orders.pre_run(command), course, channel, collector, announce=False)
                if course.exit_code != 0 or self._switch.stop is not None:
                    return self._pre_run_failed(command, course)
            await self._run_process(orders.bot(), course, channel, collector, announce=True)
            stopped = self._switch.stop is not None
            await self._collect(collector)
            error = (channel.error.kind, channel.error.text) if channel.error else None
            return judge(
                course.exit_code,
                self._switch.stop if stopped else self._lost(),
                error,
                course.last_error_line,
                collector.over_limit,
                collector.not_kept,
            )
        finally:
            await collector.abandon()

    def _pre_run_failed(self, command: tuple[str, ...], course: _Course) -> Ending:
        if self._switch.stop is not None:
            return Ending(self._switch.stop.outcome, self._switch.stop.reason)
        return Ending(
            Outcome.FAILED,
            f"The command '{' '.join(command)}', which comes before the bot, ended with exit code {course.exit_code}.",
            "PreRunFailed",
        )

    async def _run_process(
        self,
        order: ProcessOrder,
        course: _Course,
        channel: ChannelReader,
        collector: ArtifactCollector,
        *,
        announce: bool,
    ) -> None:
        """Start a process and stay with it until its tree has ended and its output is read."""
        reporter = self._required_reporter()
        process = await self._services.launcher.start(order)
        capture = Capture(process, channel, reporter)
        self._process = process
        supervision = Supervision(
            process=process,
            limits=self._plan.limits,
            grace_seconds=self._plan.grace_seconds,
            switch=self._switch,
            stopwatch=course.clock,
            cancel_file=self._workspace.cancel,
            artifact_bytes=collector.size_now,
            delivery=reporter.delivery,
            on_use=lambda use: self._sample(course, use),
        )
        course.sampler.begin(time.time())
        if self._switch.stop is not None:
            self._switch.changed.set()
        try:
            self._workspace.remember_processes(process.identities())
            if announce:
                course.started = True
                environment = order.environment.parent.name if order.environment else ""
                reporter.add(Started(time.time(), process.warm, environment, process.pid, process.note))
            facts = await supervision.until_ended()
            self._process = None
            await capture.finish()
            self._note_end(course, facts, supervision, capture)
        finally:
            self._process = None
            await capture.abandon()
            await process.close()

    def _sample(self, course: _Course, use: TreeUse) -> None:
        sample = course.sampler.take(use, time.time())
        if sample is not None:
            self._required_reporter().add(sample)

    def _note_end(
        self, course: _Course, facts: ExitFacts, supervision: Supervision, capture: Capture
    ) -> None:
        course.clock.go_on()
        course.exit_code = facts.exit_code
        course.cpu_seconds += facts.cpu_seconds
        course.peak_memory_bytes = max(
            course.peak_memory_bytes, facts.peak_memory_bytes, supervision.peak_memory_bytes
        )
        course.last_error_line = capture.last_error_line
        if facts.left_behind and self._switch.stop is None:
            names = ", ".join(facts.left_behind)
            self._required_reporter().say(
                f"The bot left processes behind, which were ended: {names}.", time.time(), Level.WARNING
            )

    async def _collect(self, collector: ArtifactCollector) -> None:
        """Collect artifacts, for a bounded time where the attempt was stopped, before or meanwhile; none of a lost one."""
        stop = self._switch.stop
        if stop is not None and stop.outcome is Outcome.LOST:
            return
        loop = asyncio.get_running_loop()
        deadline = float("inf") if stop is None else loop.time() + _COLLECT_AFTER_STOP_SECONDS
        collecting = asyncio.ensure_future(collector.collect())
        try:
            while not collecting.done():
                changed = asyncio.create_task(self._switch.changed.wait())
                timeout = None if deadline == float("inf") else max(0.0, deadline - loop.time())
                await asyncio.wait(
                    {collecting, changed}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
                )
                if changed.done():
                    self._switch.changed.clear()
                    deadline = min(deadline, self._switch.deadline)
                changed.cancel()
                if not collecting.done() and loop.time() >= deadline:
                    self._required_reporter().say(
                        "Some artifacts were not kept: the attempt was stopped meanwhile.",
                        time.time(),
                        Level.WARNING,
                    )
                    return
            await collecting
        finally:
            collecting.cancel()
            await asyncio.gather(collecting, return_exceptions=True)

    def _lost(self) -> Stop | None:
        """Return a kill that came after the bot's own end; a cancel that came so late changes nothing."""
        stop = self._switch.stop
        return stop if stop is not None and stop.outcome is Outcome.LOST else None

    def _required_reporter(self) -> Reporter:
        if self._reporter is None:
            raise RuntimeError("the attempt is over")
        return self._reporter
