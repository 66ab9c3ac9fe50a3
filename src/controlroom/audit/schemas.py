"""What the API gives of the audit log."""

from datetime import datetime
from typing import Any

from pydantic import Field

from controlroom.audit.models import AuditOutcome
from controlroom.audit.verification import ChainReport
from controlroom.foundation.http import Schema


class AuditEntryOut(Schema):
    """One act: who did what to what, when, from where, and whether it worked."""

    number: int
    time: datetime
    actor_kind: str
    actor_id: str
    actor_name: str
    action: str = Field(examples=["user.created"])
    target_kind: str
    target_id: str
    target_name: str
    outcome: AuditOutcome
    address: str
    request_id: str
    detail: dict[str, Any]
    previous_hash: str
    hash: str


class ChainFaultOut(Schema):
    """Where the chain does not hold."""

    number: int
    problem: str


class VerificationOut(Schema):
    """What reading the whole chain has shown."""

    is_whole: bool
    entries: int
    newest_number: int
    newest_hash: str = Field(
        description="Note it elsewhere to prove later that nothing before it was changed."
    )
    sealed_number: int = Field(description="The server's key vouches for the entries up to here.")
    sealed_at: datetime | None
    faults: list[ChainFaultOut] = Field(description="The first twenty faults at most.")

    @classmethod
    def of(cls, report: ChainReport) -> "VerificationOut":
        """Show what was found."""
        return cls(
            is_whole=not report.faults,
            entries=report.entries,
            newest_number=report.newest.number,
            newest_hash=report.newest.hash,
            sealed_number=report.sealed_number,
            sealed_at=report.sealed_at,
            faults=[ChainFaultOut(number=fault.number, problem=fault.problem) for fault in report.faults],
        )
