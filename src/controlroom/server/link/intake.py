"""Gathers the reports of all connections of this node and applies many of them in one transaction."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from controlroom.foundation.errors import ControlRoomError
from controlroom.foundation.pace import Pace
from controlroom.foundation.telemetry import logger
from controlroom.protocol.messages import Report
from controlroom.protocol.records import MAXIMUM_BATCH_RECORDS
from controlroom.runs.reports import Delivery, ReportApplier
from controlroom.server.link.connection import Connection

_QUEUE_DELIVERIES = 1_000
_BATCH_REPORTS = 400
_BATCH_SECONDS = 0.005
_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)

log = logger("server.link.intake")


@dataclass(frozen=True, slots=True)
class _Received:
    connection: Connection
    reports: Sequence[Report]


class ReportIntake:
    """One queue and one writer: a burst of small reports costs one commit, and the runners wait for their turn."""

    def __init__(self, applier: ReportApplier) -> None:
        self._applier = applier
        self._queue: asyncio.Queue[_Received] = asyncio.Queue(_QUEUE_DELIVERIES)

    async def take(self, connection: Connection, reports: Sequence[Report]) -> None:
        """Queue reports; waits while the queue is full, which slows the runner down."""
        await self._queue.put(_Received(connection, reports))

    async def run_forever(self) -> None:
        """Apply what comes until cancelled."""
        pace = Pace(_BATCH_SECONDS)
        while True:
            batch = [await self._queue.get()]
            await pace.wait()
            count = len(batch[0].reports)
            while count < _BATCH_REPORTS and not self._queue.empty():
                batch.append(self._queue.get_nowait())
                count += len(batch[-1].reports)
            await self._apply(batch)

    async def _apply(self, batch: Sequence[_Received]) -> None:
        if await self._try(batch):
            return
        for received in batch:
            for seconds in _RETRY_SECONDS:
                if await self._try([received]):
                    break
                await asyncio.sleep(seconds)
            else:
                received.connection.close()  # nothing was taken, so the runner sends it again on its next connection

    async def _try(self, batch: Sequence[_Received]) -> bool:
        try:
            answers = await self._applier.apply(
                [Delivery(each.connection.device_id, each.reports) for each in batch]
            )
        except ControlRoomError as error:
            log.warning(
                "reports.delayed", reason=error.detail, reports=sum(len(each.reports) for each in batch)
            )
            return False
        except Exception:
            log.exception(
                "reports.failed",
                attempts=sorted({report.attempt_id for each in batch for report in each.reports}),
            )
            return False
        for received, messages in zip(batch, answers, strict=True):
            for message in messages:
                received.connection.send(message)
        return True


def is_sensible(report: Report) -> bool:
    """Say whether a report keeps to the protocol's bounds."""
    records = getattr(report.body, "records", ())
    return report.number >= 1 and len(records) <= MAXIMUM_BATCH_RECORDS
