"""Alembic's environment: it migrates on the connection it is given, in the caller's transaction."""

from alembic import context

from controlroom.server.schema import METADATA

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=METADATA,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    transactional_ddl=False,
)
context.run_migrations()
