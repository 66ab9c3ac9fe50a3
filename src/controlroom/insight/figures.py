"""Reads the figures of the present moment."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.devices.models import Device, DeviceMode
from controlroom.devices.rights import devices_for
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.runs.models import Attempt, Run, attempt_is_active
from controlroom.runs.queries import runs_for
from controlroom.runs.states import ACTIVE, State

BROKEN = (State.FAILED, State.TIMED_OUT, State.LOST, State.REJECTED)
RECENT = timedelta(hours=24)
_LOOKED_AT = 100
"""Newest failed runs that the bots in trouble are read from."""
_MOST_SHOWN = 6


@dataclass(frozen=True, slots=True)
class BotInTrouble:
    """A bot with runs that failed of late: how many of those looked at, and the newest."""

    bot_id: str
    bot_name: str
    failed: int
    run_id: str
    state: State
    message: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Broken:
    """What failed in the last day. ``failed`` counts runs; ``bots`` are at most six, the newest failure first."""

    failed: int
    bots: Sequence[BotInTrouble]


@dataclass(frozen=True, slots=True)
class RunningRun:
    """A run that holds a slot, and how far it is where its bot says so (0 to 1)."""

    run: Run
    step: str
    progress: float | None
    progress_message: str


@dataclass(frozen=True, slots=True)
class Running:
    """What runs now: how many by state, and those that have for longest, at most six."""

    running: int
    paused: int
    starting: int
    runs: Sequence[RunningRun]

    @property
    def total(self) -> int:
        """How many slots are held."""
        return self.running + self.paused + self.starting


@dataclass(frozen=True, slots=True)
class DeviceFigures:
    """How the devices are. ``offline`` counts those that should be there and are not; ``away`` names at most six."""

    total: int
    online: int
    offline: int
    draining: int
    disabled: int
    slots: int
    taken: int
    away: Sequence[Device]


async def broken(session: AsyncSession, caller: Caller, now: datetime) -> Broken:
    """Read what failed within `RECENT`, one look into the index for each state."""
    failed = 0
    newest: list[tuple[State, str, str, str, str, datetime]] = []
    for state in BROKEN:
        ours = (Run.state == state, Run.created_at >= now - RECENT, *runs_for(caller))
        failed += await session.scalar(select(func.count()).select_from(Run).where(*ours)) or 0
        columns = (Run.bot_id, Run.bot_name, Run.id, Run.message, Run.ended_at, Run.created_at)
        rows = select(*columns).where(*ours).order_by(Run.created_at.desc(), Run.id.desc()).limit(_LOOKED_AT)
        newest += [
            (state, bot_id, bot_name, run_id, message, ended_at or created_at)
            for bot_id, bot_name, run_id, message, ended_at, created_at in await session.execute(rows)
        ]
    newest.sort(key=lambda row: row[-1], reverse=True)
    counts = Counter(row[1] for row in newest)
    first = {row[1]: row for row in reversed(newest)}
    bots = [
        BotInTrouble(bot_id, bot_name, counts[bot_id], run_id, state, message, time)
        for state, bot_id, bot_name, run_id, message, time in first.values()
    ]
    bots.sort(key=lambda bot: bot.time, reverse=True)
    return Broken(failed, bots[:_MOST_SHOWN])


async def running(session: AsyncSession, caller: Caller) -> Running:
    """Read what holds a slot now."""
    counted = (
        select(Run.state, func.count()).where(Run.state.in_(ACTIVE), *runs_for(caller)).group_by(Run.state)
    )
    counts = {State(state): count for state, count in await session.execute(counted)}
    oldest: list[Run] = []
    for state in ACTIVE:  # one look into the index for each: all at once would sort a million runs
        query = select(Run).where(Run.state == state, *runs_for(caller)).order_by(Run.created_at, Run.id)
        oldest += await session.scalars(query.limit(_MOST_SHOWN))
    shown = sorted(oldest, key=lambda run: run.created_at)[:_MOST_SHOWN]
    found = await session.scalars(select(Attempt).where(Attempt.id.in_([run.attempt_id for run in shown])))
    attempts = {attempt.id: attempt for attempt in found}
    return Running(
        running=counts.get(State.RUNNING, 0),
        paused=counts.get(State.PAUSED, 0),
        starting=counts.get(State.ASSIGNED, 0),
        runs=[_running_run(run, attempts.get(run.attempt_id or "")) for run in shown],
    )


def _running_run(run: Run, attempt: Attempt | None) -> RunningRun:
    if attempt is None:
        return RunningRun(run, "", None, "")
    return RunningRun(run, attempt.step, attempt.progress, attempt.progress_message)


async def waiting_count(session: AsyncSession, caller: Caller) -> int:
    """Count the runs that wait."""
    query = select(func.count()).select_from(Run).where(Run.state == State.QUEUED, *runs_for(caller))
    return await session.scalar(query) or 0


async def first_waiting(session: AsyncSession, caller: Caller) -> Sequence[Run]:
    """Return the runs that come next, in the dispatcher's order, at most six."""
    query = (
        select(Run)
        .where(Run.state == State.QUEUED, *runs_for(caller))
        .order_by(Run.priority.desc(), Run.queued_at, Run.id)
        .limit(_MOST_SHOWN)
    )
    return (await session.scalars(query)).all()


async def devices(session: AsyncSession, caller: Caller) -> DeviceFigures:
    """Read how the devices are."""
    ours = devices_for(caller, Permission.DEVICE_READ)
    is_online = Device.connected_at.is_not(None)
    counted = (
        select(Device.mode, is_online, func.count(), func.sum(case((is_online, Device.slots), else_=0)))
        .where(Device.mode != DeviceMode.REVOKED, *ours)
        .group_by(Device.mode, is_online)
    )
    rows = [(DeviceMode(mode), bool(online), count, slots or 0) for mode, online, count, slots in await session.execute(counted)]  # fmt: skip
    taken = select(func.count()).select_from(Attempt).where(attempt_is_active())
    if ours:
        taken = taken.where(Attempt.device_id.in_(select(Device.id).where(*ours)))
    away = (
        select(Device)
        .where(Device.mode == DeviceMode.ACTIVE, Device.connected_at.is_(None), *ours)
        .order_by(Device.seen_at.desc())
        .limit(_MOST_SHOWN)
    )
    return DeviceFigures(
        total=sum(count for _, _, count, _ in rows),
        online=sum(count for mode, online, count, _ in rows if online and mode is not DeviceMode.DISABLED),
        offline=sum(count for mode, online, count, _ in rows if not online and mode is DeviceMode.ACTIVE),
        draining=sum(count for mode, _, count, _ in rows if mode is DeviceMode.DRAINING),
        disabled=sum(count for mode, _, count, _ in rows if mode is DeviceMode.DISABLED),
        slots=sum(slots for mode, _, _, slots in rows if mode is DeviceMode.ACTIVE),
        taken=await session.scalar(taken) or 0,
        away=(await session.scalars(away)).all(),
    )
