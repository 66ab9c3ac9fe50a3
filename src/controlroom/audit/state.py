"""How the audit log stands at a moment."""

from dataclasses import dataclass
from datetime import datetime

from controlroom.audit.chain import Link
from controlroom.audit.checkpoint import Checkpoint
from controlroom.audit.models import AuditAnchor, AuditDelivery
from controlroom.audit.seal import Seal
from controlroom.audit.verification import ChainReport


@dataclass(frozen=True, slots=True)
class LogState:
    """How the log stands: its newest link, what vouches for it, what was removed, how far it was sent elsewhere.

    ``report`` is the newest proof of the whole chain that this node has made, and ``proved_at`` when; None before one.
    ``delivery`` is None where entries are sent nowhere.
    """

    newest: Link
    seal: Seal | None
    checkpoint: Checkpoint | None
    anchor: AuditAnchor | None
    delivery: AuditDelivery | None
    report: ChainReport | None
    proved_at: datetime | None
    kept_days: int
    """Entries older than so many days go; 0 keeps all."""
    exports_first: bool
    """Whether they are exported before they go."""
