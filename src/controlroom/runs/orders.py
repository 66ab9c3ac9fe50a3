"""What the runner of a device should be told now, read from the database: the messages only ever repeat the truth."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from controlroom.bots.models import BotVersion
from controlroom.devices.models import Device
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.settings import Settings
from controlroom.protocol import FILES_PROTOCOL_VERSION
from controlroom.protocol.messages import (
    CancelAttempt,
    FromServer,
    Outcome,
    PauseAttempt,
    ResumeAttempt,
    StartAttempt,
)
from controlroom.runs.input_files.binding import planned_files
from controlroom.runs.leases import is_over_time
from controlroom.runs.models import Attempt, Run
from controlroom.runs.plan import make_plan
from controlroom.runs.states import ACTIVE, State
from controlroom.runs.tokens import AttemptTokens


@dataclass(frozen=True, slots=True)
class Orders:
    """Reads the orders of a device."""

    database: Database
    clock: Clock
    settings: Settings
    tokens: AttemptTokens

    async def for_device(self, device_id: str, *, known: AbstractSet[str]) -> list[FromServer]:
        """Return what a device is to do: start what it does not know, cancel, pause and resume what it has.

        ``known`` are the attempts that its runner has told of or was told on this connection. An order may come
        again; a runner that has already followed it lets it be.
        """
        async with self.database.read(brief=True) as session:
            rows = await session.execute(
                select(Attempt, Run, BotVersion, Device.facts, Device.protocol_version)
                .join(Run, Run.id == Attempt.run_id)
                .join(BotVersion, BotVersion.id == Run.version_id)
                .join(Device, Device.id == Attempt.device_id)
                .where(Attempt.device_id == device_id, Attempt.state.in_(ACTIVE))
                .order_by(Attempt.assigned_at, Attempt.id)
            )
            orders: list[FromServer] = []
            for attempt, run, version, facts, protocol_version in rows:
                if attempt.state is State.ASSIGNED and attempt.id not in known:
                    files = await planned_files(session, run)
                    if files and protocol_version < FILES_PROTOCOL_VERSION:
                        continue  # the runner was replaced by an older one: the lease ends, and another device is found
                    plan = make_plan(
                        run, attempt, version, facts, tokens=self.tokens, settings=self.settings, files=files
                    )
                    orders.append(StartAttempt(plan))
                orders += self._control(attempt, run)
        return orders

    def _control(self, attempt: Attempt, run: Run) -> list[FromServer]:
        grace = self.settings.cancel_grace_seconds
        if run.cancel_requested_at is not None:
            return [
                CancelAttempt(
                    attempt.id, grace, Outcome.CANCELLED, f"Cancelled by {run.cancel_requested_by}."
                )
            ]
        if is_over_time(attempt, run, self.clock.now(), timedelta(seconds=grace)):
            return [
                CancelAttempt(
                    attempt.id,
                    grace,
                    Outcome.TIMED_OUT,
                    f"Stopped at its time limit of {run.timeout_seconds:g} s.",
                )
            ]
        if attempt.pause_wanted and attempt.state is State.RUNNING:
            return [PauseAttempt(attempt.id)]
        if not attempt.pause_wanted and attempt.state is State.PAUSED:
            return [ResumeAttempt(attempt.id)]
        return []
