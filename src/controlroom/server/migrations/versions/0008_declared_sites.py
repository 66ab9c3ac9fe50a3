"""Declared sites of the network contract, and what proofs and probes found.

Revision 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

from controlroom.foundation.database import Json, UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "declared_sites",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("declared_at", UtcDateTime(), nullable=False),
        sa.Column("declared_by_id", sa.String(length=32), nullable=False),
        sa.Column("declared_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_declared_sites")),
    )
    op.create_table(
        "network_reports",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("site_number", sa.Integer(), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.Column("report", Json, nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("made_by_id", sa.String(length=32), nullable=False),
        sa.Column("made_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network_reports")),
    )
    op.create_index(
        op.f("ix_network_reports_kind_made_at"), "network_reports", ["kind", "made_at"], unique=False
    )


def downgrade() -> None:
    """Take the tables back to the revision before."""
    op.drop_index(op.f("ix_network_reports_kind_made_at"), table_name="network_reports")
    op.drop_table("network_reports")
    op.drop_table("declared_sites")
