"""Alembic's environment: it migrates on the connection it is given, in the caller's transaction."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from controlroom.foundation.database import BigSerial, Choice, Json, UtcDateTime
from controlroom.server.schema import METADATA


def write_own_type(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """Write the product's own column types by their names into a new revision."""
    if kind != "type":
        return False
    if isinstance(item, Choice):
        return "sa.String(length=16)"
    name = (
        "UtcDateTime()"
        if isinstance(item, UtcDateTime)
        else {id(Json): "Json", id(BigSerial): "BigSerial"}.get(id(item))
    )
    if name is None:
        return False
    autogenerate.imports.add("from controlroom.foundation.database import BigSerial, Json, UtcDateTime")
    return name


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=METADATA,
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=write_own_type,
    compare_type=True,
    transactional_ddl=False,
)
context.run_migrations()
