"""Finding a bot's, a person's or a device's newest runs by name without looking through all of them.

Revision 0014, after 0013.
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    with op.batch_alter_table("runs", schema=None) as batch_op:
        for column in ("bot_name", "requested_by", "device_name"):
            batch_op.create_index(f"ix_runs_{column}_created", [column, "created_at", "id"], unique=False)
