"""What the checks of components find: when all is well, when something is not, and when a check itself breaks."""

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conftest import SteeredClock
from controlroom.administration import components
from controlroom.administration.checks import CHECKS, storage
from controlroom.administration.components import (
    CheckedParts,
    ComponentCheck,
    ComponentChecks,
    ComponentState,
    Finding,
)
from controlroom.administration.parts import installed_parts
from controlroom.audit.actor import SYSTEM
from controlroom.audit.models import AuditDelivery
from controlroom.audit.service import AuditService, record
from controlroom.audit.signing import Signer
from controlroom.devices.models import Device, DeviceMode
from controlroom.foundation.backups import last_backup, note_backup
from controlroom.foundation.blobs import BlobStore
from controlroom.foundation.bus.memory import MemoryBus
from controlroom.foundation.cache.memory import MemoryCache
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Forbidden, Unavailable
from controlroom.foundation.ids import new_id
from controlroom.foundation.settings import Settings
from controlroom.identity.permissions import SHIPPED_ROLES
from controlroom.identity.service import local_caller

CALLER = local_caller(SYSTEM)


@pytest.fixture
def parts(database: Database, clock: SteeredClock, tmp_path: Path) -> CheckedParts:
    bus, cache = MemoryBus(), MemoryCache(clock)
    audit = AuditService(database, clock, b"a key for tests", Signer(tmp_path))
    settings = Settings(data_folder=tmp_path)
    return CheckedParts(database, BlobStore(tmp_path / "blobs"), bus, cache, clock, settings, audit)


async def found(parts: CheckedParts, checks: Sequence[ComponentCheck] = CHECKS) -> dict[str, Finding]:
    health = await ComponentChecks(parts, checks).health(CALLER)
    return {each.name: each.finding for each in health.components}


async def test_an_empty_room_is_well_but_for_what_nobody_has_set_up(parts: CheckedParts) -> None:
    by_name = await found(parts)
    assert set(by_name) == {check.name for check in CHECKS}
    for name in ("database", "blob_store", "bus", "cache", "dispatcher", "audit_log"):
        assert by_name[name].state is ComponentState.OK, by_name[name]
    assert by_name["runners"].state is ComponentState.OFF
    assert by_name["log_collector"].state is ComponentState.OFF


async def test_what_is_not_well_says_what_to_do(parts: CheckedParts, database: Database) -> None:
    now = parts.clock.now()
    async with database.write() as transaction:
        transaction.session.add(
            Device(
                id=new_id("dev"), name="press", key_hash="x", mode=DeviceMode.ACTIVE, slots=1, labels=[], facts={},
                connected_at=None, seen_at=now, joined_at=now, updated_at=now, revision=1,
            )
        )  # fmt: skip
    finding = (await found(parts))["runners"]
    assert finding.state is ComponentState.WARNING
    assert "press" in finding.words
    assert "runner start" in finding.advice


async def test_a_folder_that_cannot_be_written_is_failing(parts: CheckedParts, tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file where a folder should be")
    finding = (await found(parts, storage.CHECKS))["blob_store"]
    assert finding.state is ComponentState.FAILING
    assert "writable" in finding.advice


async def test_a_full_disk_is_failing(parts: CheckedParts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: _Usage(10**12, 10**12 - 10**8, 10**8))
    assert (await found(parts, storage.CHECKS))["disk"].state is ComponentState.FAILING
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: _Usage(10**12, 0, 6 * 10**10))
    assert (await found(parts, storage.CHECKS))["disk"].state is ComponentState.WARNING


async def test_a_chain_that_does_not_hold_is_failing(parts: CheckedParts, database: Database) -> None:
    other = AuditService(database, parts.clock, b"another key", Signer(parts.settings.data_folder))
    async with database.write() as transaction:
        record(
            transaction,
            time=parts.clock.now(),
            actor=SYSTEM,
            action="test.done",
            target_kind="test",
            target_id="1",
        )
    await other.seal()
    finding = (await found(parts))["audit_log"]
    assert finding.state is ComponentState.FAILING
    assert "another key" in finding.words


async def test_a_log_collector_that_cannot_be_reached_is_failing(
    parts: CheckedParts, database: Database
) -> None:
    told = Settings(data_folder=parts.settings.data_folder, audit_syslog_host="log.example")
    audit = AuditService(database, parts.clock, b"a key for tests", is_sent=True)
    sending = replace(parts, settings=told, audit=audit)
    assert (await found(sending))["log_collector"].state is ComponentState.OK
    async with database.write() as transaction:
        transaction.session.add(
            AuditDelivery(name="syslog", number=0, holder="", failure="The certificate is not trusted.")
        )
    finding = (await found(sending))["log_collector"]
    assert finding.state is ComponentState.FAILING
    assert "log.example:6514: The certificate is not trusted." in finding.words


async def test_backups_are_asked_for_until_one_is_made_and_again_when_it_is_old(
    parts: CheckedParts, clock: SteeredClock, tmp_path: Path
) -> None:
    if not parts.database.is_sqlite:
        assert (await found(parts, storage.CHECKS))["backups"].state is ComponentState.OFF
        return
    assert (await found(parts, storage.CHECKS))["backups"].state is ComponentState.WARNING
    note_backup(tmp_path, made_at=clock.now(), size_bytes=4096)
    assert (await found(parts, storage.CHECKS))["backups"].state is ComponentState.OK
    clock.advance(timedelta(days=8).total_seconds())
    finding = (await found(parts, storage.CHECKS))["backups"]
    assert (finding.state, "8 days ago" in finding.words) == (ComponentState.WARNING, True)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"made_at": 3}', '{"made_at": "2026-01-01T00:00:00"}'])
def test_a_damaged_note_of_a_backup_is_no_backup(tmp_path: Path, text: str) -> None:
    (tmp_path / "last-backup.json").write_text(text)
    assert last_backup(tmp_path) is None


def test_the_note_of_a_backup_is_read_back(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    note_backup(tmp_path, made_at=moment, size_bytes=1)
    assert last_backup(tmp_path) == moment


async def test_one_check_that_breaks_or_hangs_hides_no_other(
    parts: CheckedParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components, "CHECK_SECONDS", 0.05)

    async def hangs(_parts: CheckedParts) -> Finding:
        await asyncio.Event().wait()
        raise AssertionError

    async def breaks(_parts: CheckedParts) -> Finding:
        raise Unavailable("The lamp is out.")

    async def crashes(_parts: CheckedParts) -> Finding:
        raise KeyError("secret-word")

    async def works(_parts: CheckedParts) -> Finding:
        return Finding(ComponentState.OK, "Well.")

    checks = [
        ComponentCheck(each.__name__, each.__name__, each, "Mend it.")
        for each in (hangs, breaks, crashes, works)
    ]
    health = await ComponentChecks(parts, checks).health(CALLER)
    assert health.state is ComponentState.FAILING
    by_name = {each.name: each.finding for each in health.components}
    assert by_name["works"].state is ComponentState.OK
    for name in ("hangs", "breaks", "crashes"):
        assert (by_name[name].state, by_name[name].advice) == (ComponentState.FAILING, "Mend it.")
    assert "The lamp is out." in by_name["breaks"].words
    assert "secret-word" not in by_name["crashes"].words


async def test_health_is_for_those_who_may_read_settings(parts: CheckedParts) -> None:
    viewer = replace(CALLER, permissions=SHIPPED_ROLES["viewer"])
    with pytest.raises(Forbidden):
        await ComponentChecks(parts, CHECKS).health(viewer)


def test_every_part_says_its_licence() -> None:
    parts = installed_parts()
    names = {part.name.lower() for part in parts}
    assert parts[0].name == "controlroom"
    assert {"fastapi", "sqlalchemy", "htmx.org", "lucide-static"} <= names
    assert [part.name for part in parts if part.licence == "unknown"] == []


class _Usage:
    def __init__(self, total: int, used: int, free: int) -> None:
        self.total, self.used, self.free = total, used, free
