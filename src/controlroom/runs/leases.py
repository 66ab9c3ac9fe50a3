"""Leases: kept alive by heartbeats, ended by time. A lease that ran out ends its attempt as lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import select, update

from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.settings import Settings
from controlroom.protocol.messages import Ended, Outcome
from controlroom.runs.applying import end_attempt
from controlroom.runs.models import Attempt, Run, attempt_is_active
from controlroom.runs.states import ACTIVE, State

_BATCH = 200
_UNANSWERED_LEASES = 2
"""A runner that lives but does not end an attempt within this many leases after it should is overruled."""


@dataclass(frozen=True, slots=True)
class Leases:
    """Renews leases and ends the attempts whose time is over."""

    database: Database
    clock: Clock
    settings: Settings
    chance: Random

    async def renew(self, attempt_ids: Sequence[str]) -> frozenset[str]:
        """Give attempts another lease from now; return those that are still active, the others are stale."""
        until = self.clock.now() + timedelta(seconds=self.settings.lease_seconds)
        async with self.database.write() as transaction:
            renewed = await transaction.session.scalars(
                update(Attempt)
                .where(Attempt.id.in_(attempt_ids), Attempt.state.in_(ACTIVE))
                .values(lease_expires_at=until)
                .returning(Attempt.id)
                .execution_options(synchronize_session=False)
            )
            return frozenset(renewed)

    async def end_overdue(self) -> int:
        """End attempts whose lease, time limit or cancel is long over; return how many."""
        ended = 0
        while True:
            count = await self._end_batch()
            ended += count
            if count < _BATCH:
                return ended

    async def _end_batch(self) -> int:
        now = self.clock.now()
        async with self.database.read() as session:
            rows = await session.execute(
                select(Attempt, Run)
                .join(Run, Run.id == Attempt.run_id)
                .where(attempt_is_active())
                .order_by(Attempt.id)
            )
            overdue = [
                attempt.id
                for attempt, run in rows
                if overdue_end(attempt, run, now, self.settings) is not None
            ][:_BATCH]
        if not overdue:
            return 0
        async with self.database.write() as transaction:
            query = (
                select(Attempt, Run)
                .join(Run, Run.id == Attempt.run_id)
                .where(Attempt.id.in_(overdue))
                .order_by(Attempt.id)
            )
            for attempt, run in await transaction.session.execute(query.with_for_update()):
                end = overdue_end(attempt, run, now, self.settings) if attempt.state in ACTIVE else None
                if end is not None:
                    end_attempt(transaction, attempt, run, end, now=now, chance=self.chance.random())
        return len(overdue)


def overdue_end(attempt: Attempt, run: Run, now: datetime, settings: Settings) -> Ended | None:
    """Say how an active attempt must be ended by the server, or None where its runner still has the word.

    The lease is the runner's clock: it tells a dead machine. The time limit and the cancel are the bot's: a runner
    that lives and yet does not end the bot in time is overruled, and what it still sends is kept aside.
    """
    if attempt.lease_expires_at <= now:
        return _ended(
            now,
            Outcome.LOST,
            f"Nothing was heard of {attempt.device_name} for {settings.lease_seconds:.0f} s.",
        )
    patience = timedelta(seconds=settings.cancel_grace_seconds + settings.lease_seconds * _UNANSWERED_LEASES)
    if run.cancel_requested_at is not None and run.cancel_requested_at + patience <= now:
        return _ended(
            now, Outcome.CANCELLED, f"{attempt.device_name} did not confirm that the bot was stopped."
        )
    if is_over_time(attempt, run, now, patience):
        return _ended(
            now, Outcome.TIMED_OUT, f"{attempt.device_name} did not stop the bot at its time limit."
        )
    return None


def is_over_time(attempt: Attempt, run: Run, now: datetime, patience: timedelta) -> bool:
    """Say whether a running attempt is past its time limit by more than the patience; a paused one is not timed."""
    if run.timeout_seconds <= 0 or attempt.started_at is None or attempt.state is not State.RUNNING:
        return False
    return attempt.started_at + timedelta(seconds=run.timeout_seconds) + patience <= now


def _ended(now: datetime, outcome: Outcome, message: str) -> Ended:
    return Ended(time=now.timestamp(), outcome=outcome, exit_code=None, message=message)
