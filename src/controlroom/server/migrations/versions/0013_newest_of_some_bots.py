"""The index on runs by state and bot holds their ids too, so that the newest of some bots are read from it alone.

Revision 0013, after 0012.
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.drop_index("ix_runs_state_bot_created", "runs")
    op.create_index("ix_runs_state_bot_created", "runs", ["state", "bot_id", "created_at", "id"])
