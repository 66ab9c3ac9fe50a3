"""What can go wrong with the audit log, beyond the ground floor's errors."""

from controlroom.foundation.errors import Conflict


class SealBroken(Conflict):
    """The chain no longer holds what was sealed; the seal is kept so that the proof is not lost."""

    code = "audit_seal_broken"
    title = "The audit log does not hold what was sealed"
