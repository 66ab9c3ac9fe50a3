"""SQLite with one trip to its thread for a statement, and none where nothing could wait.

The driver keeps each connection in a thread of its own and goes there for every step of a statement: to open a cursor,
to execute, to fetch, to close. Done in one trip, a statement costs the event loop a third of that. Going there at all
costs several times what a statement by key takes, so that these stay where they are asked for: beginning where the lock
is free, giving a snapshot up, and the statements of brief transactions (`turn_brief`).
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar, cast

import aiosqlite
from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.util import await_

T = TypeVar("T")


class _Statement:
    """A cursor as SQLAlchemy's adapter awaits it, which goes to the connection's thread only to execute."""

    def __init__(self, adapted: "_Connection") -> None:
        self._adapted = adapted
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> "_Statement":
        return self

    async def execute(self, operation: str, parameters: Sequence[Any] = ()) -> "_Statement":
        await self._carry_out(operation, parameters, many=False)
        return self

    async def executemany(self, operation: str, parameters: Sequence[Sequence[Any]]) -> "_Statement":
        await self._carry_out(operation, parameters, many=True)
        return self

    async def _carry_out(self, operation: str, parameters: Any, *, many: bool) -> None:
        if self._adapted.is_brief and self._adapted.is_idle:
            self._run(operation, parameters, many)
        else:
            await self._adapted.trip(self._run, operation, parameters, many)

    def _run(self, operation: str, parameters: Any, many: bool) -> None:
        """Execute and fetch all."""
        cursor = self._adapted.raw.cursor()
        try:
            (cursor.executemany if many else cursor.execute)(operation, parameters)
            self.description, self.rowcount, self.lastrowid = (
                cursor.description,
                cursor.rowcount,
                cursor.lastrowid,
            )
            self._rows = cursor.fetchall() if cursor.description else []
        finally:
            cursor.close()

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        self._rows = []


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    __slots__ = ()

    def _make_new_cursor(self, connection: Any) -> Any:
        assert isinstance(self._adapt_connection, _Connection)  # noqa: S101  # it made the cursor  # nosec B101
        return _Statement(self._adapt_connection)


class _Connection(AsyncAdapt_aiosqlite_connection):
    """The driver's connection, which knows whether its thread has work and goes there only for what may wait."""

    __slots__ = ("_busy_milliseconds", "_done", "_sent", "_streams", "is_brief")
    _cursor_cls = _Cursor

    def __init__(self, driver: "OneTripDriver", connection: Any, busy_seconds: float) -> None:
        super().__init__(driver, connection)
        self._busy_milliseconds = int(busy_seconds * 1000)
        self._sent = 0
        self._done = 0
        self._streams = False
        self.is_brief = False

    @property
    def raw(self) -> sqlite3.Connection:
        """The connection itself."""
        return cast("sqlite3.Connection", self._connection._conn)

    @property
    def is_idle(self) -> bool:
        """Whether the thread does nothing; a caller that was cancelled may have left it at work."""
        return self._sent == self._done and not self._streams

    async def trip(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do a piece of work in the connection's thread."""
        self._sent += 1  # by the loop's thread only, as the other number by the connection's only
        return cast("T", await self._connection._execute(self._counted, work, *arguments))

    def _counted(self, work: Callable[..., T], *arguments: Any) -> T:
        try:
            return work(*arguments)
        finally:
            self._done += 1

    def does_at_once(self, words: str) -> bool:
        """Run a statement that takes a lock, here and now; return False, with nothing done, where it is not free."""
        if not self.is_idle:
            return False
        try:
            self.raw.execute("PRAGMA busy_timeout=0").close()
            self.raw.execute(words).close()
        except sqlite3.Error:  # the same in the thread says what it is, to who can take it
            return False
        finally:
            with suppress(sqlite3.Error):
                self.raw.execute(f"PRAGMA busy_timeout={self._busy_milliseconds}").close()
        return True

    def cursor(self, server_side: bool = False) -> Any:
        """Give a cursor; one that streams keeps all else of the transaction in the thread."""
        self._streams = self._streams or server_side
        return super().cursor(server_side)

    def commit(self) -> None:
        """Commit in the thread: the disk may take its time."""
        if self._connection._connection:
            self._finish(self.raw.commit)

    def rollback(self) -> None:
        """Roll back; where nothing was changed there is nothing to wait for."""
        if not self._connection._connection:
            return
        if self.is_idle and not (self.raw.in_transaction and cast("OneTripDriver", self.dbapi).writes):
            self.raw.rollback()
        else:
            self._finish(self.raw.rollback)

    def _finish(self, work: Callable[[], None]) -> None:
        try:
            await_(self.trip(work))
        except Exception as error:
            self._handle_exception(error)
        self._streams = False


class OneTripDriver(AsyncAdapt_aiosqlite_dbapi):
    """The driver's module as `create_async_engine` takes it by ``module``; cursors that stream stay as they are.

    ``writes`` says whether its connections write. They must be made with ``check_same_thread=False``.
    """

    def __init__(self, *, writes: bool = True) -> None:
        super().__init__(aiosqlite, sqlite3)
        self.writes = writes

    def connect(self, *arguments: Any, **options: Any) -> AsyncAdapt_aiosqlite_connection:
        """Connect as the driver does, with cursors of our own."""
        made = super().connect(*arguments, **options)
        return _Connection(self, made._connection, options.get("timeout", 5.0))


def begin(connection: Connection, words: str) -> None:
    """Begin a transaction by ``BEGIN`` or ``BEGIN IMMEDIATE``: at once where the lock is free, else in the thread."""
    adapted = _adapted(connection)
    if adapted is not None:
        adapted.is_brief = False
    if adapted is None or not adapted.does_at_once(words):
        connection.exec_driver_sql(words)


def turn_brief(connection: AsyncConnection) -> None:
    """Run the statements that follow in this transaction where they are asked for: they are few, by key and of few rows.

    Nothing is changed on other databases, nor where the transaction would have to wait for a lock.
    """
    adapted = None if connection.sync_connection is None else _adapted(connection.sync_connection)
    if adapted is not None:
        adapted.is_brief = adapted.does_at_once("SELECT 1 FROM sqlite_schema LIMIT 1")


def _adapted(connection: Connection) -> _Connection | None:
    found = connection.connection.dbapi_connection
    return found if isinstance(found, _Connection) else None
