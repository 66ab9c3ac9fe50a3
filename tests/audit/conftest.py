"""Databases with and without the triggers that keep entries as they are, and a service on them."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from audit.tampering import take_off_the_guard
from conftest import SteeredClock
from controlroom.audit.actor import SYSTEM
from controlroom.audit.service import AuditService, record
from controlroom.audit.signing import Signer
from controlroom.foundation.database import Database
from controlroom.server.schema import create_tables

KEY = b"the server's key"
Fill = Callable[..., object]


@pytest.fixture
async def guarded(database_url: str) -> AsyncIterator[Database]:
    """A database as the product makes it."""
    opened = Database(database_url)
    await create_tables(opened)
    yield opened
    await opened.close()


@pytest.fixture
async def database(guarded: Database) -> Database:
    """A database whose owner has taken the triggers off, so that tests can do what the chain must show."""
    await take_off_the_guard(guarded)
    return guarded


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path / "keys")


@pytest.fixture
def audit(guarded: Database, clock: SteeredClock, signer: Signer) -> AuditService:
    return AuditService(guarded, clock, KEY, signer)


@pytest.fixture
def fill(guarded: Database, clock: SteeredClock) -> Fill:
    """Adds entries, a minute apart."""

    async def add(entries: int, name: str = "thing") -> None:
        for number in range(entries):
            clock.advance(60)
            async with guarded.write() as transaction:
                record(
                    transaction, time=clock.now(), actor=SYSTEM, action="thing.done", target_kind="thing",
                    target_id=f"{name}-{number}", detail={"number": number},
                )  # fmt: skip

    return add
