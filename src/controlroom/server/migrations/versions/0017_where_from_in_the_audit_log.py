"""Indices by which the audit log is asked for an address or for one request.

Revision 0017, after 0016.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_INDICES = {
    "ix_audit_entries_address_number": ["address", "number"],
    "ix_audit_entries_request_id_number": ["request_id", "number"],
}


def upgrade() -> None:
    """Bring the tables to this revision."""
    for name, columns in _INDICES.items():
        op.create_index(name, "audit_entries", columns)


def downgrade() -> None:
    """Take the tables back to the revision before."""
    for name in _INDICES:
        op.drop_index(name, "audit_entries")
