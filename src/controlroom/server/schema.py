"""All tables of the product in one place, for migrations and tests."""

from controlroom.audit import models as _audit
from controlroom.audit import names as _audit_names
from controlroom.bots import models as _bots
from controlroom.devices import models as _devices
from controlroom.filters import models as _filters
from controlroom.foundation import live_settings as _live_settings
from controlroom.foundation import outbox as _outbox
from controlroom.foundation.database import Base, Database
from controlroom.identity import models as _identity
from controlroom.runs import measures as _measures
from controlroom.runs import models as _runs
from controlroom.runs.input_files import models as _input_files
from controlroom.sites import models as _sites

ROOMS = (
    _audit,
    _audit_names,
    _bots,
    _devices,
    _filters,
    _identity,
    _live_settings,
    _outbox,
    _measures,
    _runs,
    _input_files,
    _sites,
)
"""Modules that declare tables; importing them fills the metadata."""

METADATA = Base.metadata


async def create_tables(database: Database) -> None:
    """Create every table that is not there; tests use this, a server migrates."""
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
