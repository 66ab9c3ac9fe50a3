"""The link delivers every report exactly once over whatever the network does."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlroom.protocol import PROTOCOL_VERSION
from controlroom.protocol.messages import (
    Ended,
    FromServer,
    Heartbeat,
    HeldAttempt,
    Hello,
    Log,
    Outcome,
    ReportBody,
    Welcome,
)
from controlroom.protocol.records import Level, LogRecord, Stream
from controlroom.runner.facts import machine_facts
from controlroom.runner.link import Connector, ControlRoomAddress, Link, LinkState, Outbox
from controlroom.runner.link.long_poll import LongPollTransport
from controlroom.runner.link.outbox import WINDOW_REPORTS
from controlroom.runner.link.pace import Backoff, Pace
from controlroom.runner.link.websocket import WebSocketTransport
from controlroom.runner.spool import Spool
from runner.link.control_room import KEY, ControlRoom, serve
from runner.link.relay import relay

QUICK = Pace(first_retry=0.01, longest_retry=0.05, refused_retry=0.05, welcome=5, stall=5)


class Runner:
    """A link with spools and no bots."""

    def __init__(self, url: str, pace: Pace = QUICK, key: str = KEY) -> None:
        address = ControlRoomAddress(url, key)
        self.outbox = Outbox()
        self.spools: dict[str, Spool] = {}
        self.received: list[FromServer] = []
        self.states: list[tuple[LinkState, str]] = []
        self.changed = asyncio.Event()
        connector = Connector(
            WebSocketTransport(address, welcome_seconds=pace.welcome),
            LongPollTransport(address, wait_seconds=2),
            pace,
        )
        self.link = Link(connector, self, self.outbox, pace=pace, watcher=self._watch)

    async def open(self, folder: Path, attempt_id: str, limit: int = 1 << 24) -> Spool:
        spool = await Spool.open(folder / attempt_id, attempt_id, "token", limit_bytes=limit)
        self.spools[attempt_id] = spool
        self.outbox.add(attempt_id, spool)
        return spool

    def hello(self) -> Hello:
        return Hello(PROTOCOL_VERSION, machine_facts(), 1, (), self._held())

    def heartbeat(self) -> Heartbeat:
        return Heartbeat(self._held())

    def welcomed(self, welcome: Welcome) -> None:
        self.changed.set()

    async def receive(self, message: FromServer) -> None:
        self.received.append(message)
        self.changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def _held(self) -> tuple[HeldAttempt, ...]:
        return tuple(HeldAttempt(name, "token", spool.last, True) for name, spool in self.spools.items())

    def _watch(self, state: LinkState, detail: str) -> None:
        self.states.append((state, detail))
        self.changed.set()


@asynccontextmanager
async def running(runner: Runner) -> AsyncIterator[Runner]:
    task = asyncio.create_task(runner.link.run())
    try:
        yield runner
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def line(text: str, times: int = 1) -> Log:
    return Log((LogRecord(0, Stream.STDOUT, Level.INFO, text),) * times)


END = Ended(1, Outcome.SUCCEEDED, 0)


async def write(spool: Spool, bodies: list[ReportBody]) -> list[ReportBody]:
    for body in bodies:
        await spool.append(body)
    return bodies


async def test_reports_of_several_attempts_arrive_in_order(tmp_path: Path) -> None:
    async with serve(ControlRoom()) as room, running(Runner(room.url)) as runner:
        written = {}
        for name in ("a", "b", "c"):
            spool = await runner.open(tmp_path, name)
            written[name] = await write(spool, [*(line(f"{name}{n}") for n in range(200)), END])
        await room.until(lambda: all(room.attempt(name).closed for name in written))

        assert {name: room.attempt(name).bodies for name in written} == written
        assert [room.attempt(name).duplicates for name in written] == [0, 0, 0]
        assert room.transports == ["websocket"]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cuts=st.lists(st.integers(1, 15_000), min_size=1, max_size=8), poll=st.booleans(), seed=st.integers())
async def test_cuts_at_any_point_lose_and_double_nothing(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], poll: bool, seed: int
) -> None:
    folder, chance = tmp_path_factory.mktemp("spool"), random.Random(seed)
    room = ControlRoom()
    room.websocket_status = 426 if poll else 0
    async with (
        serve(room),
        relay(room.address, cuts=iter(cuts)) as between,
        running(Runner(between.url)) as runner,
    ):
        spool = await runner.open(folder, "a")
        bodies: list[ReportBody] = [line(f"{n} " + "x" * chance.randint(0, 900)) for n in range(150)]
        written = await write(spool, [*bodies, END])
        await room.until(lambda: room.attempt("a").closed)

        assert room.attempt("a").bodies == written
        assert between.cut_count > 0


async def test_a_restarted_control_room_is_found_again_and_gets_the_rest(tmp_path: Path) -> None:
    room = ControlRoom()
    async with serve(room), running(Runner(room.url)) as runner:
        spool = await runner.open(tmp_path, "a")
        written = await write(spool, [line("before")])
        await room.until(lambda: room.attempt("a").last == 1)
        port = room.address[1]
        await room.cut()
        await runner.until(lambda: len(room.hellos) > 1)
    again = ControlRoom()
    again.attempts = room.attempts
    async with running(runner):
        written += await write(spool, [line("while away"), END])
        async with serve(again, port):
            await again.until(lambda: again.attempt("a").closed)
    assert again.attempt("a").bodies == written


async def test_a_control_room_that_has_less_than_it_said_gets_it_again(tmp_path: Path) -> None:
    async with serve(ControlRoom()) as room, running(Runner(room.url)) as runner:
        spool = await runner.open(tmp_path, "a")
        first = await write(spool, [line(str(n)) for n in range(20)])
        await room.until(lambda: room.attempt("a").last == 20)
        await runner.until(lambda: runner.outbox._lanes["a"].acked == 20)
        room.attempt("a").last = 10  # a backup was restored
        del room.attempt("a").bodies[10:]
        rest = await write(spool, [line("more"), END])
        await room.until(lambda: room.attempt("a").closed)

        assert room.attempt("a").bodies == first + rest


async def test_unanswered_reports_are_sent_again(tmp_path: Path) -> None:
    room = ControlRoom()
    room.forgets = 2
    pace = Pace(first_retry=0.01, longest_retry=0.05, stall=0.2)
    async with serve(room), running(Runner(room.url, pace)) as runner:
        spool = await runner.open(tmp_path, "a")
        written = await write(spool, [line("first"), END])
        await room.until(lambda: room.attempt("a").closed)

        assert room.attempt("a").bodies == written
        assert len(room.hellos) == 1


async def test_a_proxy_that_strips_the_upgrade_leads_to_long_poll_and_back(tmp_path: Path) -> None:
    room = ControlRoom()
    pace = Pace(first_retry=0.01, longest_retry=0.05, websocket_again=0.5)
    async with (
        serve(room),
        relay(room.address, strips_upgrade=True) as between,
        running(Runner(between.url, pace)) as runner,
    ):
        spool = await runner.open(tmp_path, "a")
        written = await write(spool, [line("one")])
        await room.until(lambda: room.attempt("a").last == 1)
        assert room.transports == ["long-poll"]

        between._strips_upgrade = False
        await room.until(lambda: "websocket" in room.transports)
        written += await write(spool, [line("two"), END])
        await room.until(lambda: room.attempt("a").closed)
        assert room.attempt("a").bodies == written


@pytest.mark.parametrize("status", [400, 404, 426, 501])
async def test_a_refused_upgrade_leads_to_long_poll_at_once(status: int) -> None:
    room = ControlRoom()
    room.websocket_status = status
    async with serve(room), running(Runner(room.url)):
        await room.until(lambda: len(room.heartbeats) > 2)
        assert room.transports == ["long-poll"]


async def test_a_websocket_without_a_welcome_leads_to_long_poll() -> None:
    room = ControlRoom()
    room.welcomes = False
    pace = Pace(first_retry=0.01, longest_retry=0.05, welcome=0.3)
    async with serve(room), running(Runner(room.url, pace)):
        await room.until(lambda: room.heartbeats)
        assert room.transports == ["long-poll"]


async def test_a_starting_control_room_behind_a_balancer_is_not_taken_for_a_broken_proxy() -> None:
    room = ControlRoom()
    room.websocket_status = 503
    async with serve(room), running(Runner(room.url)) as runner:
        await runner.until(lambda: any("503" in detail for _, detail in runner.states))
        room.websocket_status = 0
        await room.until(lambda: room.heartbeats)
        assert room.transports[-1] == "websocket"


@pytest.mark.parametrize("poll", [False, True])
async def test_a_revoked_key_is_said_plainly_and_tried_again(poll: bool) -> None:
    room = ControlRoom()
    room.websocket_status = 426 if poll else 0
    async with serve(room), running(Runner(room.url, key="crr_old")) as runner:
        await runner.until(lambda: any(state is LinkState.REFUSED for state, _ in runner.states))
        assert any("This key was revoked." in detail for _, detail in runner.states)
        assert not any("crr_old" in detail for _, detail in runner.states)
        room.key = "crr_old"
        await room.until(lambda: room.heartbeats)


async def test_a_window_limits_what_is_under_way(tmp_path: Path) -> None:
    room = ControlRoom()
    room.forgets = WINDOW_REPORTS * 3
    async with serve(room), running(Runner(room.url)) as runner:
        spool = await runner.open(tmp_path, "a")
        await write(spool, [line(str(n)) for n in range(WINDOW_REPORTS * 3)])
        await room.until(lambda: len(room.forgotten) >= WINDOW_REPORTS)
        beats = len(room.heartbeats)
        await room.until(lambda: len(room.heartbeats) > beats + 3)

        assert [report.number for report in room.forgotten] == list(range(1, WINDOW_REPORTS + 1))


async def test_leave_is_taken_after_everything_is_delivered(tmp_path: Path) -> None:
    async with serve(ControlRoom()) as room, running(Runner(room.url)) as runner:
        await room.until(lambda: room.hellos)
        spool = await runner.open(tmp_path, "a")
        await write(spool, [*(line(str(n)) for n in range(300)), END])

        assert await runner.link.say_goodbye("stopped", within_seconds=10)
        await room.until(lambda: room.goodbyes)
        assert room.attempt("a").closed


async def test_a_writer_waits_for_a_slow_control_room_and_not_for_one_that_is_away(tmp_path: Path) -> None:
    room = ControlRoom()
    async with serve(room), running(Runner(room.url)) as runner:
        spool = await runner.open(tmp_path, "a", limit=256 * 1024)
        await room.until(lambda: room.hellos)
        for n in range(400):
            await runner.outbox.wait_for_room(spool)
            await spool.append(line(f"{n} " + "x" * 5000))
        await spool.append(END)
        await room.until(lambda: room.attempt("a").closed)
        assert room.attempt("a").lines_given_up == 0

    away = await runner.open(tmp_path, "b", limit=256 * 1024)
    async with asyncio.timeout(20):
        for n in range(400):
            await runner.outbox.wait_for_room(away)
            await away.append(line(f"{n} " + "x" * 5000))
        await away.append(END)
    again = ControlRoom()
    async with serve(again, room.address[1]), running(runner):
        await again.until(lambda: again.attempt("b").closed)
    got = again.attempt("b")
    assert got.lines_given_up > 0
    assert got.lines_given_up + len(got.log) == 400


def test_waits_grow_to_the_limit_and_shrink_after_success() -> None:
    backoff = Backoff(Pace(first_retry=1, longest_retry=30))
    waits = [backoff.next_seconds() for _ in range(40)]

    assert waits[0] <= 1
    assert max(waits) <= 30
    assert max(waits[8:]) > 10
    assert len(set(waits)) == 40
    backoff.reset()
    assert backoff.next_seconds() <= 1
