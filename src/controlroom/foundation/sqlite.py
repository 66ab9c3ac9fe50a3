"""SQLite with one trip to its thread for a statement.

The driver keeps each connection in a thread of its own and goes there for every step of a statement: to open a cursor,
to execute, to fetch, to close. Done in one trip, a statement costs the event loop a third of that. Going there at all
costs several times what a statement by key takes, so that brief transactions do not (`OneTripDriver.brief`).
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, cast

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)


class _Statement:
    """A cursor as SQLAlchemy's adapter awaits it, which goes to the connection's thread only to execute."""

    def __init__(self, connection: Any, driver: "OneTripDriver") -> None:
        self._connection = connection
        self._driver = driver
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
        if self._driver.brief:
            self._run(operation, parameters, many=many)
        else:
            await self._connection._execute(self._run, operation, parameters, many=many)

    def _run(self, operation: str, parameters: Any, *, many: bool) -> None:
        """Execute and fetch all."""
        cursor = self._connection._conn.cursor()
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
        driver = self._adapt_connection.dbapi
        assert isinstance(driver, OneTripDriver)  # noqa: S101  # it made the connection  # nosec B101
        return _Statement(connection, driver)


class _Connection(AsyncAdapt_aiosqlite_connection):
    __slots__ = ()
    _cursor_cls = _Cursor


class OneTripDriver(AsyncAdapt_aiosqlite_dbapi):
    """The driver's module as `create_async_engine` takes it by ``module``; cursors that stream stay as they are."""

    def __init__(self) -> None:
        super().__init__(aiosqlite, sqlite3)
        self.brief = False
        """Whether statements run where they are asked for. Only for the one connection that writes, while it has the
        database's lock for a transaction of few statements by key: then none waits for anything.
        """

    def connect(self, *arguments: Any, **options: Any) -> AsyncAdapt_aiosqlite_connection:
        """Connect as the driver does, with cursors of our own."""
        made = super().connect(*arguments, **options)
        return cast("AsyncAdapt_aiosqlite_connection", _Connection(self, made._connection))
