"""Indexes from which the dashboard counts devices and the audit log finds what was refused.

Revision 0006, after 0005.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_index(
        op.f("ix_devices_mode_connected_at_slots"), "devices", ["mode", "connected_at", "slots"], unique=False
    )
    op.create_index(
        op.f("ix_audit_entries_outcome_number"), "audit_entries", ["outcome", "number"], unique=False
    )
