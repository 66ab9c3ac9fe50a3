"""The database: one truth, two kinds of transaction.

`Database.read` gives a session that only reads; `Database.write` gives a `Transaction` that commits as a whole,
with the events and audit entries that belong to it, and only then wakes whoever waits. On SQLite there is one
writer at a time in a process (a pool of one connection, `BEGIN IMMEDIATE`), on PostgreSQL the server keeps order.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Insert,
    Integer,
    MetaData,
    String,
    event,
    insert,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from controlroom.foundation.errors import ControlRoomError, Invalid, Unavailable
from controlroom.foundation.sqlite import OneTripDriver, begin, turn_brief

SQLITE_BUSY_SECONDS = 5
POOL_WAIT_SECONDS = 30
_READERS = 4
_POSTGRESQL_CONNECTIONS = 10


class Base(DeclarativeBase):
    """Base of every table; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware UTC in Python, ``timestamptz`` on PostgreSQL, ISO text on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a moment without a zone and store the rest as UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back that SQLite does not keep."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Choice(TypeDecorator[StrEnum]):
    """One value of an enumeration, kept as its text."""

    impl = String(16)
    cache_ok = True

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Keep the text; raise `ValueError` for one that is not of the enumeration."""
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        """Give the enumeration's member back."""
        return None if value is None else self.kind(value)


Json = JSON().with_variant(JSONB(), "postgresql")
"""A JSON document: ``jsonb`` on PostgreSQL, text on SQLite."""

BigSerial = BigInteger().with_variant(Integer(), "sqlite")
"""A growing number that the database gives; SQLite grows only a plain INTEGER."""

BeforeCommit = Callable[["Transaction"], Awaitable[None]]


class Transaction:
    """One unit of work. What it changes, records and announces is committed together or not at all."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.topics: set[str] = set()
        self._before_commit: dict[str, BeforeCommit] = {}
        self.pending: dict[str, list[Any]] = {}
        """Rows that a `before_commit` step writes at the end, by the step's name."""

    def add_pending(self, step: str, row: object, write: BeforeCommit) -> None:
        """Keep a row for the step that writes such rows once, just before the commit.

        Steps run in the order of their names, so that their locks are taken in one order in every transaction.
        """
        self.pending.setdefault(step, []).append(row)
        self._before_commit[step] = write

    async def insert_rows(self, model: type[Base], rows: Sequence[dict[str, Any]]) -> None:
        """Insert rows into a table as they are; the session learns nothing of them, which takes a third of the time."""
        await self.session.execute(_insert_into(model), rows)

    def wake(self, topic: str) -> None:
        """Wake the listeners of a topic after the commit; a wake that is lost costs only time."""
        self.topics.add(topic)

    async def turn_brief(self) -> None:
        """Be brief from here on, as `Database.write` says, after what was not."""
        turn_brief(await self.session.connection())

    async def finish(self) -> None:
        """Run the last steps; called once by `Database.write`."""
        for step in sorted(self._before_commit):
            await self._before_commit[step](self)


@cache
def _insert_into(model: type[Base]) -> Insert:
    return insert(model.__table__)  # type: ignore[arg-type]  # every model of ours has a table, not a join


Waker = Callable[[Sequence[str]], Awaitable[None]]


class Database:
    """Opens sessions and transactions on one database."""

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite")
        self._waker: Waker | None = None
        if self.is_sqlite:
            self._writer = _sqlite_engine(url, pool_size=1, writes=True)
            self._reader = _sqlite_engine(url, pool_size=_READERS, writes=False)
        else:
            self._writer = create_async_engine(
                url,
                pool_size=_POSTGRESQL_CONNECTIONS,
                max_overflow=0,
                pool_timeout=POOL_WAIT_SECONDS,
                pool_pre_ping=True,
            )
            self._reader = self._writer

    @property
    def engine(self) -> AsyncEngine:
        """The engine that writes; for migrations and backups."""
        return self._writer

    def wake_with(self, waker: Waker) -> None:
        """Say how topics are woken after a commit."""
        self._waker = waker

    @asynccontextmanager
    async def read(self, *, brief: bool = False) -> AsyncIterator[AsyncSession]:
        """Give a session for reading; what it changes is thrown away. Raises `Unavailable` where none can be had.

        What a ``brief`` one is, `write` says.
        """
        async with (
            _said_plainly(),
            AsyncSession(self._reader, expire_on_commit=False, autoflush=False) as session,
        ):
            await _connect(session, brief=brief)
            yield session

    @asynccontextmanager
    async def write(self, *, brief: bool = False) -> AsyncIterator[Transaction]:
        """Give a transaction that commits at the end of the block and rolls back on any error.

        A ``brief`` one makes few statements, all by key and of few rows: on SQLite they run at once, without the way to
        the connection's thread that costs more than they do. A lock that is not free and the commit are waited for there.

        Raises `Unavailable` where the database stays locked or away; then nothing was changed.
        """
        async with _said_plainly(), AsyncSession(self._writer, expire_on_commit=False) as session:
            transaction = Transaction(session)
            async with session.begin():
                await _connect(session, brief=brief)
                yield transaction
                await session.flush()
                await transaction.finish()
        if transaction.topics and self._waker is not None:
            await self._waker(sorted(transaction.topics))

    async def answers(self) -> bool:
        """Say whether the database answers a trivial question."""
        try:
            async with self.read() as session:
                return (await session.execute(text("SELECT 1"))).scalar() == 1
        except (Unavailable, DBAPIError):
            return False

    async def close(self) -> None:
        """Close every connection."""
        await self._writer.dispose()
        await self._reader.dispose()


async def _connect(session: AsyncSession, *, brief: bool) -> None:
    """Take the session's connection now: what a driver raises while it connects is no error of the database's own kind."""
    try:
        connection = await session.connection()
        if brief:
            turn_brief(connection)
    except (SQLAlchemyError, ControlRoomError):
        raise
    except Exception as error:
        raise Unavailable(
            "The database does not answer; try again in a moment.", retry_after_seconds=5
        ) from error


@asynccontextmanager
async def _said_plainly() -> AsyncIterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("The database is busy; try again in a moment.", retry_after_seconds=5) from error
    except DBAPIError as error:
        if _is_of_no_database(error):
            raise Invalid(
                "A text holds a NUL character, or a number is too large, for the database to keep."
            ) from None
        if error.connection_invalidated or _is_passing(error):
            raise Unavailable(
                "The database is busy or away; try again in a moment.", retry_after_seconds=5
            ) from error
        raise


def _is_of_no_database(error: DBAPIError) -> bool:
    """Say whether PostgreSQL refused a value that SQLite would have kept; what was sent is at fault, not the database."""
    said = str(error.orig)
    return (
        "invalid byte sequence for encoding" in said
        or "out of int32 range" in said
        or "out of int64 range" in said
    )


def _is_passing(error: DBAPIError) -> bool:
    said = str(error.orig).lower()
    signs = (
        "database is locked",
        "database is busy",
        "disk is full",
        "could not connect",
        "connection",
        "deadlock",
        "shutting down",
    )
    return any(sign in said for sign in signs)


def _sqlite_engine(url: str, *, pool_size: int, writes: bool) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        connect_args={"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False},
        module=OneTripDriver(writes=writes),
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:  # the driver's own connection has no common type
        connection.isolation_level = None  # the driver must not begin transactions behind our back
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            "cache_size=-32768",
            "temp_store=MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        begin(connection, "BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
