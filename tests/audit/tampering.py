"""What someone who owns the database can do behind the product's back."""

from sqlalchemy import text

from controlroom.audit.guard import TRIGGERS
from controlroom.foundation.database import Database


async def take_off_the_guard(database: Database) -> None:
    """Drop the triggers that keep entries as they are, as an owner of the database could."""
    async with database.engine.begin() as connection:
        dialect = connection.dialect.name
        for name in TRIGGERS[dialect]:
            table = " ON audit_entries" if dialect == "postgresql" else ""
            await connection.execute(text(f"DROP TRIGGER IF EXISTS {name}{table}"))
