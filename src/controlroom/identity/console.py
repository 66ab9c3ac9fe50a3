"""Identity and the audit log without a server: for commands on the server's own machine.

Whoever can read the server's settings, key and database may do anything here; what they do is written down under the
name of their account on the machine. A running server notices a change within seconds.
"""

import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, inspect, make_url

from controlroom.audit.actor import Actor, ActorKind
from controlroom.audit.service import AuditService
from controlroom.audit.signing import Signer
from controlroom.foundation.cache.memory import MemoryCache
from controlroom.foundation.clock import SystemClock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Unavailable
from controlroom.foundation.live_settings import LiveSettings, read_changed
from controlroom.foundation.settings import Settings
from controlroom.identity.caller import Caller
from controlroom.identity.models import User
from controlroom.identity.service import IdentityService, local_caller


@dataclass(frozen=True, slots=True)
class Console:
    """What a command works with; ``caller`` has every right and the machine account's name."""

    database: Database
    identity: IdentityService
    audit: AuditService
    caller: Caller


@asynccontextmanager
async def open_console(settings: Settings, secret_key: bytes) -> AsyncIterator[Console]:
    """Open the database that the settings name; raise `Unavailable` where it is away or has no tables yet."""
    url = settings.effective_database_url
    _require_file(url)
    database, clock = Database(url), SystemClock()
    live = LiveSettings.of(settings)
    identity = IdentityService(
        database, MemoryCache(clock), clock, settings, secret_key=secret_key, live=live
    )
    try:
        await _require_tables(database)
        async with database.read() as session:
            live.take(settings, await read_changed(session))
        signer, is_sent = Signer(settings.data_folder), bool(settings.audit_syslog_host)
        audit = AuditService(database, clock, secret_key, signer, is_sent=is_sent)
        yield Console(database, identity, audit, local_caller(_account()))
    finally:
        await identity.close()
        await database.close()


def _require_file(url: str) -> None:
    address = make_url(url)
    if address.drivername.startswith("sqlite") and not Path(address.database or "").is_file():
        raise Unavailable(
            f"There is no database at {address.database} yet; start the server once to make it."
        )


async def _require_tables(database: Database) -> None:
    def has_users(connection: Connection) -> bool:
        return inspect(connection).has_table(User.__tablename__)

    try:
        async with database.engine.connect() as connection:
            ready = await connection.run_sync(has_users)
    except OSError as error:
        raise Unavailable(f"The database cannot be reached: {error.strerror or error}.") from None
    if not ready:
        raise Unavailable("The database has no tables yet; start the server once to make them.")


def _account() -> Actor:
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in some containers
        name = "unnamed account"
    return Actor(ActorKind.SYSTEM, "command_line", f"command line ({name})")
