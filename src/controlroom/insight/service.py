"""The dashboard's figures, for the page, the API and the command alike."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controlroom.bots.rights import bots_for
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.settings import Settings
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.insight import figures
from controlroom.insight.trends import Period, Span, read_spans
from controlroom.runs.models import Run
from controlroom.runs.queries import why_they_wait

_TRENDS_KEPT = timedelta(seconds=10)
_REASONS_KEPT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class WaitingRun:
    """A run that waits, and why, in a sentence."""

    run: Run
    because: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """What comes next: how many wait, and the first of them."""

    total: int
    runs: Sequence[WaitingRun]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The four answers and the trends. Parts that the caller has no right to are None; all count what they may read."""

    time: datetime
    period: Period
    broken: figures.Broken | None
    running: figures.Running | None
    waiting: Waiting | None
    devices: figures.DeviceFigures | None
    trends: Sequence[Span] | None


@dataclass(slots=True)
class InsightService:
    """Reads figures, as ``app.state.insight``. Trends over all bots are shared for ten seconds, reasons for waiting for five."""

    database: Database
    clock: Clock
    settings: Settings
    _trends: dict[Period, tuple[datetime, Sequence[Span]]] = field(default_factory=dict, init=False)
    _reasons: tuple[datetime, tuple[str, ...], Mapping[str, str]] | None = field(default=None, init=False)
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def dashboard(self, caller: Caller, period: Period = Period.DAY) -> Dashboard:
        """Return what the caller may know of the present moment and of the period behind it."""
        now = self.clock.now()
        sees_runs, sees_devices = caller.may(Permission.RUN_READ), caller.may(Permission.DEVICE_READ)
        async with self.database.read() as session:
            broken = await figures.broken(session, caller, now) if sees_runs else None
            running = await figures.running(session, caller) if sees_runs else None
            total = await figures.waiting_count(session, caller) if sees_runs else 0
            first = await figures.first_waiting(session, caller) if total else ()
            devices = await figures.devices(session, caller) if sees_devices else None
        reasons = await self._why(first, now) if first else {}
        waiting = Waiting(total, [WaitingRun(run, reasons.get(run.id, "")) for run in first])
        return Dashboard(
            time=now,
            period=period,
            broken=broken,
            running=running,
            waiting=waiting if sees_runs else None,
            devices=devices,
            trends=await self._spans(caller, period, now) if sees_runs else None,
        )

    async def _why(self, runs: Sequence[Run], now: datetime) -> Mapping[str, str]:
        """Return why runs wait; the answer needs the whole board, and so is kept for a moment."""
        key = tuple(run.id for run in runs)
        async with self._reading:
            kept = self._reasons
            if kept is None or kept[1] != key or not kept[0] <= now < kept[0] + _REASONS_KEPT:
                async with self.database.read() as session:
                    kept = (now, key, await why_they_wait(session, runs, now, self.settings))
                self._reasons = kept
            return kept[2]

    async def _spans(self, caller: Caller, period: Period, now: datetime) -> Sequence[Span]:
        bots = bots_for(caller, Permission.RUN_READ)
        if bots:
            async with self.database.read() as session:
                return await read_spans(session, period, now, bots)
        async with self._reading:
            kept = self._trends.get(period)
            if kept is None or not kept[0] <= now < kept[0] + _TRENDS_KEPT:
                async with self.database.read() as session:
                    kept = (now, await read_spans(session, period, now))
                self._trends[period] = kept
            return kept[1]
