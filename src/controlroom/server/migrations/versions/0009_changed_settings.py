"""Settings that were changed while the server ran.

Revision 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

from controlroom.foundation.database import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "changed_settings",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=200), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_changed_settings")),
    )


def downgrade() -> None:
    """Take the tables back to the revision before."""
    op.drop_table("changed_settings")
