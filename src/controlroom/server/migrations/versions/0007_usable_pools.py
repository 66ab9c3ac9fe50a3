"""A run keeps the pools whose devices whoever asked for it may use.

Revision 0007, after 0006. Runs from before it may use every device, as they might when they were asked for.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.add_column("runs", sa.Column("usable_pool_ids", json, nullable=True))
