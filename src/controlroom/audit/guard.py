"""What the database itself refuses: to change an entry, and to remove one that no anchor stands for.

It stops mistakes and whoever has no more than the server's own SQL; an owner of the database can take the triggers off,
and then the chain, the seal and the checkpoints tell. The migration that makes the tables writes the same statements.
"""

from sqlalchemy import DDL, Table, event

_SQLITE = (
    """CREATE TRIGGER audit_entries_are_not_changed BEFORE UPDATE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END""",
    """CREATE TRIGGER audit_entries_are_not_removed BEFORE DELETE ON audit_entries
WHEN NOT EXISTS (SELECT 1 FROM audit_anchors WHERE first_number <= OLD.number AND last_number >= OLD.number)
BEGIN SELECT RAISE(ABORT, 'audit entries are removed by retention only, behind an anchor'); END""",
)

_POSTGRESQL = (
    """CREATE OR REPLACE FUNCTION audit_entries_guard() RETURNS trigger LANGUAGE plpgsql AS $guard$
BEGIN
  IF TG_OP = 'DELETE' AND EXISTS (
    SELECT 1 FROM audit_anchors WHERE first_number <= OLD.number AND last_number >= OLD.number
  ) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'audit entries are never changed, and removed by retention only, behind an anchor';
END $guard$""",
    """CREATE TRIGGER audit_entries_are_kept BEFORE UPDATE OR DELETE ON audit_entries
FOR EACH ROW EXECUTE FUNCTION audit_entries_guard()""",
    """CREATE TRIGGER audit_entries_are_not_emptied BEFORE TRUNCATE ON audit_entries
FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_guard()""",
)

STATEMENTS = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}
"""By the dialect's name; each makes one trigger or what it needs."""

TRIGGERS = {
    "sqlite": ("audit_entries_are_not_changed", "audit_entries_are_not_removed"),
    "postgresql": ("audit_entries_are_kept", "audit_entries_are_not_emptied"),
}
"""The triggers' names, for a check that they are there."""


def guard(entries: Table, anchors: Table) -> None:
    """Make the triggers with the table of entries, after that of anchors, which they read."""
    entries.add_is_dependent_on(anchors)
    for dialect, statements in STATEMENTS.items():
        for statement in statements:
            event.listen(entries, "after_create", DDL(statement).execute_if(dialect=dialect))  # type: ignore[no-untyped-call]  # SQLAlchemy leaves DDL untyped
