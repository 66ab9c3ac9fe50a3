"""What can go wrong with the audit log, beyond the ground floor's errors."""

from controlroom.foundation.errors import Conflict, Invalid


class SealBroken(Conflict):
    """The chain no longer holds what was sealed; the seal is kept so that the proof is not lost."""

    code = "audit_seal_broken"
    title = "The audit log does not hold what was sealed"


class LogIsEmpty(Conflict):
    """There is no entry yet."""

    code = "audit_log_empty"
    title = "The audit log is empty"


class CheckpointUnreadable(Invalid):
    """What was given as a checkpoint is none."""

    code = "audit_checkpoint_unreadable"


class ExportUnreadable(Invalid):
    """What was given as an export is none, or does not reach to where the log begins."""

    code = "audit_export_unreadable"


class RetentionRefused(Conflict):
    """Entries cannot be removed as long as this holds."""

    code = "audit_retention_refused"
    title = "Nothing was removed from the audit log"
