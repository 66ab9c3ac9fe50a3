"""The dispatcher: pairs waiting runs with devices and writes the attempts, all of one round in one transaction.

Any node may do it; on PostgreSQL an advisory lock lets one at a time, on SQLite there is one writer anyhow.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVarTuple

from sqlalchemy import Result, Row, exists, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.bots.models import Bot
from controlroom.devices.models import Device, DeviceMode, DevicePool, PoolMember, PoolOrder, PoolShare
from controlroom.foundation.bus import Bus
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction
from controlroom.foundation.errors import ControlRoomError
from controlroom.foundation.ids import new_id
from controlroom.foundation.pace import Pace
from controlroom.foundation.settings import Settings
from controlroom.foundation.telemetry import logger
from controlroom.protocol import FILES_PROTOCOL_VERSION
from controlroom.runs.input_files.models import RunFile
from controlroom.runs.matching import Board, OpenDevice, Pairing, PoolRule, WaitingRun, match
from controlroom.runs.models import Attempt, Run, attempt_is_active
from controlroom.runs.states import ACTIVE, State
from controlroom.runs.transitions import DISPATCH_TOPIC, device_topic, move_run

_WINDOW = 200
_MOST_WINDOWS = 25
_TURNS = 20
"""Runs of each bot that are looked at ahead of their place where bots take turns; the next round looks again."""
_ROWS_AT_ONCE = 250
_LOCK = 7_203_003  # any number that no other advisory lock of ours uses
_ROUND_SECONDS = 0.02
PRESENCE_HEARTBEATS = 3
"""A device counts as present this many heartbeats after its last word."""

Columns = TypeVarTuple("Columns")
log = logger("runs.dispatch")


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Assigns waiting runs whenever something that matters has changed."""

    database: Database
    bus: Bus
    clock: Clock
    settings: Settings

    async def run_forever(self) -> None:
        """Assign runs until cancelled; a database that is away for a while only delays it."""
        pace = Pace(_ROUND_SECONDS)
        async with self.bus.subscribe(DISPATCH_TOPIC) as subscription:
            while True:
                await pace.wait()
                wait_seconds = self.settings.sweep_seconds
                try:
                    await self.assign_all()
                    wait_seconds = await self._seconds_until_next()
                except ControlRoomError as error:
                    log.warning("dispatch.delayed", reason=error.detail)
                await subscription.wait(wait_seconds)

    async def assign_all(self) -> int:
        """Assign what can be assigned now; return how many runs that were."""
        assigned = 0
        while await self._is_something_due():
            count, is_full = await self._assign_round()
            assigned += count
            if count == 0 or is_full:
                break
        return assigned

    async def assign_round(self) -> int:
        """Assign runs until the devices are full or every waiting run was looked at once; return how many that were."""
        return (await self._assign_round())[0]

    async def _assign_round(self) -> tuple[int, bool]:
        """Do a round; say too whether every slot is taken now, so that another could find none."""
        now = self.clock.now()
        async with self.database.write() as transaction:
            session = transaction.session
            if session.get_bind().dialect.name == "postgresql":
                await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            board = await read_board(session, now, self.settings)
            await transaction.turn_brief()
            pairings: list[Pairing] = []
            for window in range(_MOST_WINDOWS):
                if board.is_full:
                    break
                waiting = await _waiting_runs(session, now, offset=window * _WINDOW)
                paired = {pairing.run_id for pairing in pairings}
                looked_at = await _with_turns(session, now, board, waiting) if window == 0 else waiting
                pairings += match([run for run in looked_at if run.id not in paired], board)
                if len(waiting) < _WINDOW:
                    break
            count = await self._write_attempts(transaction, pairings, board, now)
            return count, board.is_full and count == len(pairings)

    async def _write_attempts(
        self, transaction: Transaction, pairings: Sequence[Pairing], board: Board, now: datetime
    ) -> int:
        """Write the attempts of runs that still wait: one may have been cancelled since it was matched."""
        devices = {device.id: device for device in board.devices}
        still_waiting = select(Run).where(
            Run.id.in_([pairing.run_id for pairing in pairings]), Run.state == State.QUEUED
        )
        found = await transaction.session.scalars(still_waiting.order_by(Run.id).with_for_update())
        runs = {run.id: run for run in found}
        for pairing in pairings:
            run, device = runs.get(pairing.run_id), devices[pairing.device_id]
            if run is None:
                continue
            attempt = _new_attempt(run, device, now, lease_seconds=self.settings.lease_seconds)
            transaction.session.add(attempt)
            run.attempt_count, run.attempt_id = attempt.number, attempt.id
            run.device_id, run.device_name = device.id, device.name
            move_run(
                transaction,
                run,
                State.ASSIGNED,
                now=now,
                message=f"To {device.name}.",
                detail={"device_id": device.id},
            )
            transaction.wake(device_topic(device.id))
        return len(runs)

    async def _is_something_due(self) -> bool:
        async with self.database.read(brief=True) as session:
            due = select(Run.id).where(Run.state == State.QUEUED, Run.not_before <= self.clock.now()).limit(1)
            return await session.scalar(due) is not None

    async def _seconds_until_next(self) -> float:
        now = self.clock.now()
        async with self.database.read(brief=True) as session:
            later = select(func.min(Run.not_before)).where(Run.state == State.QUEUED, Run.not_before > now)
            moment: datetime | None = await session.scalar(later)
        if moment is None:
            return self.settings.sweep_seconds
        return min(self.settings.sweep_seconds, max(0.01, (moment - now).total_seconds()))


def _new_attempt(run: Run, device: OpenDevice, now: datetime, *, lease_seconds: float) -> Attempt:
    return Attempt(
        id=new_id("att"),
        run_id=run.id,
        number=run.attempt_count + 1,
        bot_id=run.bot_id,
        device_id=device.id,
        device_name=device.name,
        state=State.ASSIGNED,
        assigned_at=now,
        lease_expires_at=now + timedelta(seconds=lease_seconds),
        outputs={},
        usage={},
    )


async def read_board(session: AsyncSession, now: datetime, settings: Settings) -> Board:
    """Read which devices take work at the moment and how many runs each bot has."""
    present_since = now - timedelta(seconds=settings.heartbeat_seconds * PRESENCE_HEARTBEATS)
    devices = await session.execute(
        select(Device.id, Device.name, Device.labels, Device.slots, Device.protocol_version).where(
            Device.mode == DeviceMode.ACTIVE,
            Device.connected_at.is_not(None),
            Device.seen_at >= present_since,
        )
    )
    active = await session.execute(
        select(Attempt.device_id, Attempt.bot_id, func.count())
        .where(attempt_is_active())
        .group_by(Attempt.device_id, Attempt.bot_id)
    )
    taken: Counter[str] = Counter()
    by_bot: Counter[str] = Counter()
    for device_id, bot_id, count in active:
        taken[device_id] += count
        by_bot[bot_id] += count
    pools: dict[str, set[str]] = {}
    async for members in _in_parts(await session.execute(select(PoolMember.device_id, PoolMember.pool_id))):
        for device_id, pool_id in members:
            pools.setdefault(device_id, set()).add(pool_id)
    open_devices: list[OpenDevice] = []
    async for part in _in_parts(devices):
        open_devices += [
            OpenDevice(
                id_,
                name,
                frozenset(labels),
                frozenset(pools.get(id_, ())),
                slots,
                slots - taken[id_],
                takes_files=protocol_version >= FILES_PROTOCOL_VERSION,
            )
            for id_, name, labels, slots, protocol_version in part
        ]
    rules = await _pool_rules(session)
    return Board(open_devices, by_bot, rules, await _active_in_pools(session, rules))


async def _in_parts(result: Result[*Columns]) -> AsyncIterator[Sequence[Row[*Columns]]]:
    """Give rows in parts and let others go on in between: those of ten thousand devices take a sixth of a second."""
    for part in result.partitions(_ROWS_AT_ONCE):
        yield part
        await asyncio.sleep(0)


async def _pool_rules(session: AsyncSession) -> dict[str, PoolRule]:
    """Return the rules of the pools that have any beyond the plain ones."""
    special = (DevicePool.share == PoolShare.ROUND_ROBIN) | (DevicePool.device_order == PoolOrder.LISTED)
    query = (
        select(
            DevicePool.id,
            DevicePool.share,
            DevicePool.device_order,
            PoolMember.device_id,
            PoolMember.position,
        )
        .outerjoin(PoolMember, PoolMember.pool_id == DevicePool.id)
        .where(special)
    )
    turns: dict[str, bool] = {}
    ranks: dict[str, dict[str, int]] = {}
    for pool_id, share, order, device_id, position in await session.execute(query):
        turns[pool_id] = PoolShare(share) is PoolShare.ROUND_ROBIN
        known = ranks.setdefault(pool_id, {})
        if device_id is not None and PoolOrder(order) is PoolOrder.LISTED:
            known[device_id] = position
    return {pool_id: PoolRule(takes_turns, ranks[pool_id]) for pool_id, takes_turns in turns.items()}


async def _active_in_pools(session: AsyncSession, rules: Mapping[str, PoolRule]) -> Counter[tuple[str, str]]:
    pools = [pool_id for pool_id, rule in rules.items() if rule.takes_turns]
    if not pools:
        return Counter()
    query = (
        select(Run.target_pool_id, Run.bot_id, func.count())
        .where(Run.state.in_(ACTIVE), Run.target_pool_id.in_(pools))
        .group_by(Run.target_pool_id, Run.bot_id)
    )
    return Counter(
        {(pool_id or "", bot_id): count for pool_id, bot_id, count in await session.execute(query)}
    )


async def _with_turns(
    session: AsyncSession, now: datetime, board: Board, first: Sequence[WaitingRun]
) -> list[WaitingRun]:
    """Add the first runs of every bot that waits for a pool in which bots take turns: a long queue of one hides none."""
    pools = [pool_id for pool_id, rule in board.pools.items() if rule.takes_turns]
    if not pools or len(first) < _WINDOW:
        return list(first)
    turn = (
        func.row_number()
        .over(
            partition_by=(Run.target_pool_id, Run.bot_id),
            order_by=(Run.priority.desc(), Run.queued_at, Run.id),
        )
        .label("turn")
    )
    ranked = (
        select(Run.id.label("run_id"), turn)
        .where(Run.state == State.QUEUED, Run.not_before <= now, Run.target_pool_id.in_(pools))
        .subquery()
    )
    query = _WAITING.join(ranked, ranked.c.run_id == Run.id).where(ranked.c.turn <= _TURNS)
    rows = await session.execute(query.limit(_WINDOW * _MOST_WINDOWS))
    known = {run.id for run in first}
    return [*first, *(run for run in (waiting_run(*row) for row in rows) if run.id not in known)]


_WAITING = (
    select(
        Run.id,
        Run.bot_id,
        Bot.most_at_once,
        Run.labels,
        Run.target_device_id,
        Run.target_pool_id,
        Run.usable_pool_ids,
        exists().where(RunFile.run_id == Run.id),
    )
    .join(Bot, Bot.id == Run.bot_id)
    .where(Run.state == State.QUEUED)
    .order_by(Run.priority.desc(), Run.queued_at, Run.id)
)


async def _waiting_runs(session: AsyncSession, now: datetime, *, offset: int) -> list[WaitingRun]:
    rows = await session.execute(_WAITING.where(Run.not_before <= now).offset(offset).limit(_WINDOW))
    return [waiting_run(*row) for row in rows]


def waiting_run(
    run_id: str,
    bot_id: str,
    most_at_once: int | None,
    labels: Sequence[str],
    device_id: str | None,
    pool_id: str | None,
    usable_pools: Sequence[str] | None,
    has_files: bool,
    asked_by: str = "",
) -> WaitingRun:
    """Make a waiting run of its columns."""
    usable = None if usable_pools is None else frozenset(usable_pools)
    return WaitingRun(
        run_id, bot_id, most_at_once, frozenset(labels), device_id, pool_id, usable, asked_by, has_files
    )
