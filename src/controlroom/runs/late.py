"""Keeps aside what comes after an attempt has ended: visible to people, without effect."""

from datetime import datetime
from typing import Any

import msgspec

from controlroom.foundation.database import Transaction
from controlroom.protocol.messages import Ended, Log, LogGap, Output, ReportBody, UsageSample
from controlroom.runs.log import append_records
from controlroom.runs.models import Attempt, HistoryKind, Run
from controlroom.runs.storable import storable_text, storable_value
from controlroom.runs.transitions import add_history

_DETAIL_CHARACTERS = 2_000


async def keep_aside(
    transaction: Transaction, attempt: Attempt, run: Run, body: ReportBody, *, now: datetime
) -> None:
    """Record a report that came with a token that counts no more."""
    if body == LogGap(0) or isinstance(body, UsageSample):
        return
    if isinstance(body, Log):
        await append_records(transaction, attempt, body.records, late=True)
        return
    add_history(
        transaction,
        run.id,
        now=now,
        attempt_id=attempt.id,
        kind=HistoryKind.LATE,
        message=_message(body, attempt),
        detail={"report": _shown(body)},
    )


def _message(body: ReportBody, attempt: Attempt) -> str:
    subject = (
        f"From attempt {attempt.number} on {attempt.device_name}, after it had ended as {attempt.state.value}"
    )
    match body:
        case Ended(outcome=outcome):
            return f"{subject}: the bot ended as {outcome.value}. Nothing was changed by it."
        case Output(name=name):
            return f"{subject}: output '{storable_text(name, 100)}'. It was kept aside."
        case _:
            return f"{subject}: {type(body).__name__}. It was kept aside."


def _shown(body: ReportBody) -> Any:
    fields = storable_value(msgspec.structs.asdict(body))
    text = msgspec.json.encode({"type": body.__struct_config__.tag, **fields}).decode()
    return text[:_DETAIL_CHARACTERS]
