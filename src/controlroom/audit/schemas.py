"""What the API gives of the audit log."""

from datetime import datetime
from typing import Any

from pydantic import Field

from controlroom.audit.checkpoint import Checkpoint
from controlroom.audit.models import AuditOutcome
from controlroom.audit.state import LogState
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
    removed: int = Field(description="Entries that retention has removed; signed anchors stand for them.")
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
            removed=report.removed,
            faults=[ChainFaultOut(number=fault.number, problem=fault.problem) for fault in report.faults],
        )


class CheckpointOut(Schema):
    """A signed link of the chain, to be kept elsewhere; `controlroom audit verify --checkpoint` takes this document."""

    kind: str
    version: int
    number: int
    hash: str
    time: datetime
    public_key: str = Field(description="Ed25519, 32 bytes as base64.")
    signature: str

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "CheckpointOut":
        """Show a checkpoint."""
        return cls.model_validate(checkpoint.document())


class DeliveryOut(Schema):
    """How far entries were handed to the log collector."""

    number: int = Field(description="The newest entry that counts as sent.")
    sent_at: datetime | None
    connected_at: datetime | None
    failure: str = Field(description="Why nothing is sent at the moment; empty while all is well.")
    failed_at: datetime | None


class RemovedOut(Schema):
    """What retention has removed so far: everything up to an entry, with its hash and its signed anchor."""

    last_number: int
    hash: str
    made_at: datetime


class LogStateOut(Schema):
    """How the log stands, without proving it anew."""

    newest_number: int
    newest_hash: str
    sealed_number: int
    sealed_at: datetime | None
    public_key: str
    checkpoint: CheckpointOut | None = Field(description="The one that was handed out last.")
    removed: RemovedOut | None
    delivery: DeliveryOut | None = Field(description="Null where entries are sent nowhere.")
    verification: VerificationOut | None = Field(description="The last proof that this node has made.")
    verified_at: datetime | None
    retention_days: int = Field(description="Entries older than this are removed, every hour; 0 keeps all.")
    exports_before_removal: bool = Field(description="Whether they are exported to a file first.")

    @classmethod
    def of(cls, state: LogState, public_key: str) -> "LogStateOut":
        """Show how the log stands."""
        anchor, sealed = state.anchor, state.seal
        return cls(
            newest_number=state.newest.number,
            newest_hash=state.newest.hash,
            sealed_number=sealed.link.number if sealed else 0,
            sealed_at=sealed.time if sealed else None,
            public_key=public_key,
            checkpoint=CheckpointOut.of(state.checkpoint) if state.checkpoint else None,
            removed=RemovedOut(last_number=anchor.last_number, hash=anchor.hash, made_at=anchor.made_at)
            if anchor
            else None,
            delivery=DeliveryOut.model_validate(state.delivery) if state.delivery else None,
            verification=VerificationOut.of(state.report) if state.report else None,
            verified_at=state.proved_at,
            retention_days=state.kept_days,
            exports_before_removal=state.exports_first,
        )
