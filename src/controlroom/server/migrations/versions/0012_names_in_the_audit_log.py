"""The names in the audit log once each, and indexes by them, so that a word is found without reading every entry.

Revision 0012, after 0011. The names of the entries that are there are gathered.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_GATHER = {
    "sqlite": (
        """CREATE TRIGGER audit_entries_are_named AFTER INSERT ON audit_entries
BEGIN INSERT OR IGNORE INTO audit_names (name) VALUES (NEW.actor_name), (NEW.action), (NEW.target_name); END""",
    ),
    "postgresql": (
        """CREATE OR REPLACE FUNCTION audit_entries_names() RETURNS trigger LANGUAGE plpgsql AS $names$
BEGIN
  INSERT INTO audit_names (name) VALUES (NEW.actor_name), (NEW.action), (NEW.target_name) ON CONFLICT DO NOTHING;
  RETURN NULL;
END $names$""",
        """CREATE TRIGGER audit_entries_are_named AFTER INSERT ON audit_entries
FOR EACH ROW EXECUTE FUNCTION audit_entries_names()""",
    ),
}


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "audit_names",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_names")),
    )
    for column in ("actor_name", "target_name"):
        name = op.f(f"ix_audit_entries_{column}_number")
        op.create_index(name, "audit_entries", [column, "number"], unique=False)
    op.execute(
        "INSERT INTO audit_names (name) SELECT actor_name FROM audit_entries "
        "UNION SELECT action FROM audit_entries UNION SELECT target_name FROM audit_entries"
    )
    for statement in _GATHER.get(op.get_bind().dialect.name, ()):
        op.execute(statement)
