"""What the processes of an attempt used over time.

Revision 0010, after 0009.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "attempt_usage",
        sa.Column("attempt_id", sa.String(length=32), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_attempt_usage")),
    )


def downgrade() -> None:
    """Take the tables back to the revision before."""
    op.drop_table("attempt_usage")
