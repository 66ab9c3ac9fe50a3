"""The version of the protocol that a device's runner speaks.

Revision 0018, after 0017. Each runner tells its own when it connects anew; until then the oldest is taken.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.add_column("devices", sa.Column("protocol_version", sa.Integer(), server_default="1", nullable=False))


def downgrade() -> None:
    """Take the tables back to the revision before."""
    op.drop_column("devices", "protocol_version")
