"""What a change of a setting would destroy, said before it is made: such a change is made only once it was confirmed."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from controlroom.audit.service import AuditService
from controlroom.foundation.clock import Clock
from controlroom.foundation.errors import Conflict

Consequence = Callable[[int, int], Awaitable[str]]
"""From the value in use and the one wanted to a sentence on what would be lost; empty where nothing would be."""


class NotConfirmed(Conflict):
    """The change destroys something, and nobody has said yes to that."""

    code = "not_confirmed"
    title = "This cannot be taken back"


def consequences_of(audit: AuditService, clock: Clock) -> Mapping[str, Consequence]:
    """Return the settings whose change may destroy something, each with what says so."""

    async def entries_removed(now_days: int, wanted_days: int) -> str:
        if not wanted_days or 0 < now_days <= wanted_days:
            return ""
        found = await audit.would_remove(clock.now() - timedelta(days=wanted_days))
        if not found.count or found.oldest is None or found.newest is None:
            return ""
        entries = "1 audit entry goes" if found.count == 1 else f"{found.count:,} audit entries go"
        return (
            f"Within an hour {entries} for good: number {found.first:,} to {found.last:,}, "
            f"from {found.oldest:%Y-%m-%d %H:%M} to {found.newest:%Y-%m-%d %H:%M} UTC."
        )

    return {"audit_retention_days": entries_removed}
