"""Takes what runners report: each report once, in order, only with the token that counts; the rest is kept aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

from sqlalchemy import select

from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction
from controlroom.foundation.errors import ControlRoomError
from controlroom.protocol.messages import Ack, Ended, FromServer, Report, StaleAttempt
from controlroom.runs.applying import apply_body
from controlroom.runs.late import keep_aside
from controlroom.runs.models import Attempt, HistoryKind, Run
from controlroom.runs.states import ENDED
from controlroom.runs.tokens import AttemptTokens
from controlroom.runs.transitions import add_history

_UNKNOWN_ATTEMPT = "This Control Room knows no such attempt of this device."


@dataclass(frozen=True, slots=True)
class Delivery:
    """Reports that one connection brought together, oldest first."""

    device_id: str
    reports: Sequence[Report]


class ReportApplier:
    """Applies deliveries to the database. ``chance`` spreads the delays of further attempts."""

    def __init__(self, database: Database, clock: Clock, tokens: AttemptTokens, chance: Random) -> None:
        self._database = database
        self._clock = clock
        self._tokens = tokens
        self._chance = chance

    async def apply(self, deliveries: Sequence[Delivery]) -> list[list[FromServer]]:
        """Apply deliveries in one transaction and return the answers to each, in the same order.

        A report is applied if its number is the attempt's next; one that came before is only acknowledged, and one
        from further on is answered with the last number taken, so that the runner goes back. Raises what the database
        raises; then nothing was applied.
        """
        now = self._clock.now()
        async with self._database.write(brief=True) as transaction:
            attempts = await _load(
                transaction, {report.attempt_id for each in deliveries for report in each.reports}
            )
            return [
                await self._apply_delivery(transaction, delivery, attempts, now) for delivery in deliveries
            ]

    async def _apply_delivery(
        self,
        transaction: Transaction,
        delivery: Delivery,
        attempts: dict[str, tuple[Attempt, Run]],
        now: datetime,
    ) -> list[FromServer]:
        stale: dict[str, FromServer] = {}
        acks: dict[str, FromServer] = {}
        for report in delivery.reports:
            known = attempts.get(report.attempt_id)
            if known is None or not self._counts(known[0], delivery.device_id, report.token):
                stale[report.attempt_id] = StaleAttempt(report.attempt_id, _UNKNOWN_ATTEMPT)
                acks[report.attempt_id] = Ack(report.attempt_id, report.number, closed=True)
                continue
            attempt, run = known
            if report.number == attempt.last_report + 1:
                if attempt.state in ENDED:
                    stale[attempt.id] = StaleAttempt(
                        attempt.id, f"The attempt has ended as {attempt.state.value}."
                    )
                await self._take(transaction, attempt, run, report, now)
            closed = isinstance(report.body, Ended) and report.number <= attempt.last_report
            acks[attempt.id] = Ack(attempt.id, attempt.last_report, closed=closed)
        return [*stale.values(), *acks.values()]

    def _counts(self, attempt: Attempt, device_id: str, token: str) -> bool:
        return attempt.device_id == device_id and self._tokens.is_valid(attempt.id, token)

    async def _take(
        self, transaction: Transaction, attempt: Attempt, run: Run, report: Report, now: datetime
    ) -> None:
        attempt.last_report = report.number
        if attempt.state in ENDED:
            await keep_aside(transaction, attempt, run, report.body, now=now)
            return
        try:
            await apply_body(transaction, attempt, run, report.body, now=now, chance=self._chance.random())
        except ControlRoomError as error:
            message = f"A report of the runner did not fit and changed nothing: {error.detail}"
            add_history(
                transaction, run.id, now=now, attempt_id=attempt.id, kind=HistoryKind.NOTE, message=message
            )


async def _load(transaction: Transaction, ids: set[str]) -> dict[str, tuple[Attempt, Run]]:
    query = (
        select(Attempt, Run)
        .join(Run, Run.id == Attempt.run_id)
        .where(Attempt.id.in_(ids))
        .order_by(Attempt.id)
    )
    rows = await transaction.session.execute(query.with_for_update())
    return {attempt.id: (attempt, run) for attempt, run in rows}
