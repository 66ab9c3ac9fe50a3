"""What the list of audit entries can be filtered and sorted by."""

from controlroom.audit.actor import ActorKind
from controlroom.audit.models import AuditEntry, AuditOutcome
from controlroom.audit.names import SEARCHED
from controlroom.foundation.paging import Field, Grammar, Kind

GRAMMAR = Grammar(
    fields={
        "number": Field(AuditEntry.number, Kind.NUMBER, sortable=True),
        "time": Field(AuditEntry.time, Kind.MOMENT, sortable=True),
        "actor": Field(AuditEntry.actor_name),
        "actor_id": Field(AuditEntry.actor_id),
        "actor_kind": Field(AuditEntry.actor_kind, Kind.CHOICE, tuple(ActorKind)),
        "action": Field(AuditEntry.action),
        "target": Field(AuditEntry.target_name),
        "target_id": Field(AuditEntry.target_id),
        "target_kind": Field(AuditEntry.target_kind),
        "outcome": Field(AuditEntry.outcome, Kind.CHOICE, tuple(AuditOutcome)),
        "address": Field(AuditEntry.address),
        "request": Field(AuditEntry.request_id),
    },
    key=AuditEntry.number,
    text=SEARCHED,
    default_sort="-number",
)
