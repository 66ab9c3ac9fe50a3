"""Migrations of the database, by Alembic; `upgrade` brings a database to the newest form under a lock."""
