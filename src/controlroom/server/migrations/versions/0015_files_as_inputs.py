"""Files that people upload as inputs of runs, and the runs that were given them.

Revision 0015, after 0014.
"""

import sqlalchemy as sa
from alembic import op

from controlroom.foundation.database import UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "input_files",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("media_type", sa.String(length=120), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("uploaded_by_id", sa.String(length=32), nullable=False),
        sa.Column("uploaded_by", sa.String(length=200), nullable=False),
        sa.Column("uploaded_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_input_files")),
    )
    with op.batch_alter_table("input_files", schema=None) as batch_op:
        batch_op.create_index("ix_input_files_sha256", ["sha256"], unique=False)
        for name, columns in (
            ("ix_input_files_unused_by", ["uploaded_by_id"]),
            ("ix_input_files_unused", ["expires_at"]),
        ):
            batch_op.create_index(
                name,
                columns,
                unique=False,
                sqlite_where=sa.text("used_at IS NULL"),
                postgresql_where=sa.text("used_at IS NULL"),
            )
    op.create_table(
        "run_files",
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("pointer", sa.String(length=400), nullable=False),
        sa.Column("file_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_files_run_id_runs")),
        sa.ForeignKeyConstraint(
            ["file_id"], ["input_files.id"], name=op.f("fk_run_files_file_id_input_files")
        ),
        sa.PrimaryKeyConstraint("run_id", "pointer", name=op.f("pk_run_files")),
    )
    with op.batch_alter_table("run_files", schema=None) as batch_op:
        batch_op.create_index("ix_run_files_file_id", ["file_id"], unique=False)


def downgrade() -> None:
    """Take the tables back to the revision before."""
    op.drop_table("run_files")
    op.drop_table("input_files")
