"""Saved filters of lists.

Revision 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

from controlroom.foundation.database import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "saved_filters",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("list_name", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("filter", sa.String(length=1000), nullable=False),
        sa.Column("sort", sa.String(length=60), nullable=False),
        sa.Column("owner_id", sa.String(length=32), nullable=False),
        sa.Column("owner_name", sa.String(length=200), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_filters")),
        sa.UniqueConstraint(
            "owner_id", "list_name", "name", name=op.f("uq_saved_filters_owner_id_list_name_name")
        ),
    )
    op.create_index(
        op.f("ix_saved_filters_list_name_name"), "saved_filters", ["list_name", "name"], unique=False
    )


def downgrade() -> None:
    """Take the tables back to the revision before."""
    op.drop_index(op.f("ix_saved_filters_list_name_name"), table_name="saved_filters")
    op.drop_table("saved_filters")
