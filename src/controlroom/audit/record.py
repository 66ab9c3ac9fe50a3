"""Adds entries to the audit log, in the transaction of what they tell of."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from controlroom.audit.actor import Actor
from controlroom.audit.chain import STEP, append_pending
from controlroom.audit.entry import clean_detail, clean_text
from controlroom.audit.models import AuditOutcome
from controlroom.foundation.database import Transaction

_NAME_LENGTH = 200
_ID_LENGTH = 64
_ACTOR_ID_LENGTH = 32


def record(
    transaction: Transaction,
    *,
    time: datetime,
    actor: Actor,
    action: str,
    target_kind: str,
    target_id: str,
    target_name: str = "",
    outcome: AuditOutcome = AuditOutcome.DONE,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry to the transaction; it gets its number and hash just before the commit.

    ``action`` is ``room.verb`` in the past tense, such as ``run.requested``. ``detail`` holds JSON values and never a
    secret; raises `TypeError` for anything else in it. Long texts are cut.
    """
    row: dict[str, Any] = {
        "time": time,
        "actor_kind": str(actor.kind),
        "actor_id": clean_text(actor.id, _ACTOR_ID_LENGTH),
        "actor_name": clean_text(actor.name, _NAME_LENGTH),
        "action": action,
        "target_kind": target_kind,
        "target_id": clean_text(target_id, _ID_LENGTH),
        "target_name": clean_text(target_name, _NAME_LENGTH),
        "outcome": str(outcome),
        "address": clean_text(actor.address, _ID_LENGTH),
        "request_id": clean_text(actor.request_id, _ID_LENGTH),
        "detail": clean_detail(detail or {}),
    }
    transaction.add_pending(STEP, row, append_pending)
