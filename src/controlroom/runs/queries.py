"""Reading runs: the list's grammar, one run with its story, what it waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import String, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.bots.models import Bot
from controlroom.bots.rights import bots_for, place_of_bot_id
from controlroom.devices.models import Device, DevicePool
from controlroom.devices.rights import pools_for
from controlroom.foundation.ids import is_id
from controlroom.foundation.paging import Field, Grammar, Kind
from controlroom.foundation.settings import Settings
from controlroom.identity.caller import Caller
from controlroom.identity.filters import Conditions
from controlroom.identity.permissions import Permission
from controlroom.runs.away import away_words
from controlroom.runs.dispatch import waiting_run
from controlroom.runs.errors import RunNotFound
from controlroom.runs.input_files.models import RunFile
from controlroom.runs.kinds import read_kinds
from controlroom.runs.matching import WaitingRun, explain_wait
from controlroom.runs.models import Artifact, Attempt, LogChunk, Run, RunHistory
from controlroom.runs.schemas import AttemptOut, HistoryOut, RunDetailOut, RunOut
from controlroom.runs.states import ENDED, State

_MOST_HISTORY = 500
_MOST_STRETCHES = 20_000
_MOST_POOLS = 10_000
_OVERVIEW_HOURS = 24
_LIVE = [state for state in State if state not in ENDED]

GRAMMAR = Grammar(
    fields={
        "state": Field(Run.state, Kind.CHOICE, tuple(State), indexed=True),
        "bot": Field(
            Run.bot_name,
            matches=lambda value: Run.bot_id == value if is_id(value, "bot") else Run.bot_name == value,
            indexed=True,
        ),
        "device": Field(
            Run.device_name,
            matches=lambda value: Run.device_id == value if is_id(value, "dev") else Run.device_name == value,
            indexed=True,
        ),
        "pool": Field(
            Run.target_pool_id,
            matches=lambda value: Run.target_pool_id.in_(
                select(DevicePool.id).where((DevicePool.id == value) | (DevicePool.name == value))
            ),
        ),
        "by": Field(Run.requested_by, indexed=True),
        "label": Field(
            Run.labels, matches=lambda value: cast(Run.labels, String).contains(f'"{value}"', autoescape=True)
        ),
        "created": Field(Run.created_at, Kind.MOMENT, sortable=True),
        "ended": Field(Run.ended_at, Kind.MOMENT),
        "priority": Field(Run.priority, Kind.NUMBER),
        "version": Field(Run.version_number, Kind.NUMBER),
        "repeats": Field(Run.repeats_run_id),
    },
    key=Run.id,
    text=(Run.bot_name, Run.requested_by, Run.reason, Run.message, Run.id),
    is_key=lambda word: is_id(word, "run"),
    most_looked_at=8_000,  # some 15 ms of work for a bare word on SQLite, 30 on PostgreSQL
)


def runs_for(caller: Caller) -> Conditions:
    """Return what the ``WHERE`` of a query over runs needs to give only those that the caller may read."""
    bots = bots_for(caller, Permission.RUN_READ)
    return (Run.bot_id.in_(select(Bot.id).where(*bots)),) if bots else ()


async def run_for(session: AsyncSession, caller: Caller, permission: Permission, run_id: str) -> Run:
    """Return a run for whose bot the caller has a right.

    Raises `RunNotFound` for one that they may not even see, as for one that is not there; `Forbidden` for one that
    they see and may not do this with.
    """
    caller.require(permission)
    run = await session.get(Run, run_id)
    if run is None or not await _is_seen(session, caller, permission, run.bot_id):
        raise RunNotFound(f"There is no run '{run_id}'.")
    return run


async def attempt_for(session: AsyncSession, caller: Caller, attempt_id: str) -> Attempt:
    """Return an attempt of a run that the caller may read; raise `RunNotFound`."""
    attempt = await session.get(Attempt, attempt_id)
    if attempt is None or not await _is_seen(session, caller, Permission.RUN_READ, attempt.bot_id):
        raise RunNotFound(f"There is no attempt '{attempt_id}'.")
    return attempt


async def artifact_for(session: AsyncSession, caller: Caller, artifact_id: str) -> Artifact:
    """Return an artifact of a run that the caller may read; raise `RunNotFound`."""
    artifact = await session.get(Artifact, artifact_id)
    run = await session.get(Run, artifact.run_id) if artifact is not None else None
    if (
        artifact is None
        or run is None
        or not await _is_seen(session, caller, Permission.RUN_READ, run.bot_id)
    ):
        raise RunNotFound(f"There is no artifact '{artifact_id}'.")
    return artifact


async def _is_seen(session: AsyncSession, caller: Caller, permission: Permission, bot_id: str) -> bool:
    """Say whether a caller may know of a bot's runs; raise `Forbidden` where they may, but lack the right."""
    if permission in caller.everywhere:
        return True
    at = await place_of_bot_id(session, bot_id)
    if not caller.may(permission, at) and not caller.may(Permission.RUN_READ, at):
        return False
    caller.require(permission, at)
    return True


@dataclass(frozen=True, slots=True)
class LogStretch:
    """When some lines of a log came, in Unix time, and the highest level among them."""

    first_time: float
    last_time: float
    lines: int
    highest_level: int


async def log_stretches(session: AsyncSession, run_id: str) -> Sequence[LogStretch]:
    """Return the stretches of the logs of a run's attempts, without their text; at most 20,000."""
    columns = (LogChunk.first_time, LogChunk.last_time, LogChunk.line_count, LogChunk.highest_level)
    attempts = select(Attempt.id).where(Attempt.run_id == run_id)
    query = select(*columns).where(LogChunk.attempt_id.in_(attempts), LogChunk.late.is_(False))
    return [LogStretch(*row) for row in await session.execute(query.limit(_MOST_STRETCHES))]


async def attempts_of(session: AsyncSession, run_id: str) -> Sequence[Attempt]:
    """Return a run's attempts, first to last."""
    return (
        await session.scalars(select(Attempt).where(Attempt.run_id == run_id).order_by(Attempt.number))
    ).all()


async def run_detail(
    session: AsyncSession, caller: Caller, run: Run, now: datetime, settings: Settings
) -> RunDetailOut:
    """Return a run with its attempts, its newest history, and why it waits."""
    newest = (
        select(RunHistory)
        .where(RunHistory.run_id == run.id)
        .order_by(RunHistory.id.desc())
        .limit(_MOST_HISTORY)
    )
    history = (await session.scalars(newest)).all()
    base = RunOut.model_validate(run)
    return RunDetailOut(
        **base.model_dump(),
        attempts=[AttemptOut.model_validate(attempt) for attempt in await attempts_of(session, run.id)],
        history=[HistoryOut.model_validate(row) for row in reversed(history)],
        waiting_because=await _why_it_waits(session, caller, run, now, settings),
    )


async def _why_it_waits(
    session: AsyncSession, caller: Caller, run: Run, now: datetime, settings: Settings
) -> str:
    if run.state is not State.QUEUED:
        return ""
    if run.not_before > now:
        return f"It is tried again at {run.not_before:%H:%M:%S} UTC."
    most_at_once = await session.scalar(select(Bot.most_at_once).where(Bot.id == run.bot_id))
    asked_by = "You" if run.requested_by_id == caller.user_id else run.requested_by
    has_files = run.id in await _with_files(session, [run])
    waiting = _waiting(run, most_at_once, asked_by, has_files=has_files)
    board, away_devices = await read_kinds(session, now, settings, _named([run]))
    names = await _names(session, run)
    if run.usable_pool_ids is not None:
        names |= await _pool_names(session, caller)
    words = explain_wait(waiting, board, names)
    away = away_words(waiting, board, away_devices)
    return f"{words} {away}." if away else words


async def why_they_wait(
    session: AsyncSession, runs: Sequence[Run], now: datetime, settings: Settings
) -> Mapping[str, str]:
    """Return why each of some waiting runs is not assigned, by its id; devices are read once."""
    board, _ = await read_kinds(session, now, settings, _named(runs))
    limits = select(Bot.id, Bot.most_at_once).where(Bot.id.in_({run.bot_id for run in runs}))
    most_at_once = {bot_id: limit for bot_id, limit in await session.execute(limits)}  # noqa: C416  # rows are not pairs to the type checker
    with_files = await _with_files(session, runs)
    reasons: dict[str, str] = {}
    for run in runs:
        if run.not_before > now:
            reasons[run.id] = f"It is tried again at {run.not_before:%H:%M:%S} UTC."
            continue
        waiting = _waiting(
            run, most_at_once.get(run.bot_id), run.requested_by, has_files=run.id in with_files
        )
        reasons[run.id] = explain_wait(waiting, board, await _names(session, run))
    return reasons


async def _with_files(session: AsyncSession, runs: Sequence[Run]) -> set[str]:
    """Return those of some runs that were given files, by their ids."""
    given = select(RunFile.run_id).where(RunFile.run_id.in_([run.id for run in runs])).distinct()
    return set(await session.scalars(given))


def _named(runs: Sequence[Run]) -> set[str]:
    """Return the devices that runs ask for."""
    return {run.target_device_id for run in runs if run.target_device_id is not None}


def _waiting(run: Run, most_at_once: int | None, asked_by: str, *, has_files: bool) -> WaitingRun:
    return waiting_run(
        run.id, run.bot_id, most_at_once, run.labels,
        run.target_device_id, run.target_pool_id, run.usable_pool_ids, has_files, asked_by,
    )  # fmt: skip


async def _pool_names(session: AsyncSession, caller: Caller) -> dict[str, str]:
    """Return the names of the pools that the caller may see."""
    seen = pools_for(caller, Permission.DEVICE_READ)
    rows = await session.execute(select(DevicePool.id, DevicePool.name).where(*seen).limit(_MOST_POOLS))
    return {pool_id: name for pool_id, name in rows}  # noqa: C416  # rows are not pairs to the type checker


async def _names(session: AsyncSession, run: Run) -> dict[str, str]:
    names: dict[str, str] = {}
    if run.target_device_id is not None:
        names[run.target_device_id] = (
            await session.scalar(select(Device.name).where(Device.id == run.target_device_id)) or ""
        )
    if run.target_pool_id is not None:
        names[run.target_pool_id] = (
            await session.scalar(select(DevicePool.name).where(DevicePool.id == run.target_pool_id)) or ""
        )
    return names


async def count_by_state(session: AsyncSession, now: datetime, among: Conditions = ()) -> Mapping[State, int]:
    """Count the runs that live and those that ended in the last day; ``among`` keeps the count to some."""
    since = now - timedelta(hours=_OVERVIEW_HOURS)
    live = select(Run.state, func.count()).where(Run.state.in_(_LIVE), *among).group_by(Run.state)
    ended = (
        select(Run.state, func.count())
        .where(Run.state.in_(ENDED), Run.created_at >= since, *among)
        .group_by(Run.state)
    )
    counts = dict.fromkeys(State, 0)
    for query in (live, ended):
        for state, count in await session.execute(query):
            counts[State(state)] = count
    return counts
