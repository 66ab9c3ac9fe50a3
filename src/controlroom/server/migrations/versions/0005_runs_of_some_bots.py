"""Counting runs by state among the bots that someone may see, without reading the runs themselves.

Revision 0005, follows 0004.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.create_index("ix_runs_state_bot_created", ["state", "bot_id", "created_at"], unique=False)
