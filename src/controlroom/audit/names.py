"""The names in the log, once each: of actors, actions and targets, gathered by the database itself as entries come.

`search` looks for a word among the names, which are few, and only then among the entries, which are many. The names
prove nothing and are in no hash: they only make a search quick. The migration that makes the table writes the same
statements.
"""

from typing import cast

from sqlalchemy import DDL, String, Table, delete, event, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from controlroom.audit.models import AuditEntry
from controlroom.foundation.database import Base

_SQLITE = (
    """CREATE TRIGGER audit_entries_are_named AFTER INSERT ON audit_entries
BEGIN INSERT OR IGNORE INTO audit_names (name) VALUES (NEW.actor_name), (NEW.action), (NEW.target_name); END""",
)

_POSTGRESQL = (
    """CREATE OR REPLACE FUNCTION audit_entries_names() RETURNS trigger LANGUAGE plpgsql AS $names$
BEGIN
  INSERT INTO audit_names (name) VALUES (NEW.actor_name), (NEW.action), (NEW.target_name) ON CONFLICT DO NOTHING;
  RETURN NULL;
END $names$""",
    """CREATE TRIGGER audit_entries_are_named AFTER INSERT ON audit_entries
FOR EACH ROW EXECUTE FUNCTION audit_entries_names()""",
)

STATEMENTS = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}
"""By the dialect's name; each makes the trigger or what it needs."""

SEARCHED = (AuditEntry.actor_name, AuditEntry.action, AuditEntry.target_name)
"""The columns in which a bare word is looked for."""


class AuditName(Base):
    """A name that some entry has, or had before retention removed it."""

    __tablename__ = "audit_names"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)


async def forget_unused(session: AsyncSession) -> None:
    """Forget the names that no entry has any more, after retention has removed some."""
    unused = [AuditName.name.not_in(select(column)) for column in SEARCHED]
    await session.execute(delete(AuditName).where(*unused).execution_options(synchronize_session=False))


def _gather() -> None:
    """Make the trigger with the table of entries, after that of names, which it writes."""
    entries = cast("Table", AuditEntry.__table__)
    entries.add_is_dependent_on(cast("Table", AuditName.__table__))
    for dialect, statements in STATEMENTS.items():
        for statement in statements:
            event.listen(entries, "after_create", DDL(statement).execute_if(dialect=dialect))  # type: ignore[no-untyped-call]  # SQLAlchemy leaves DDL untyped


_gather()
