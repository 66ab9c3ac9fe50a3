"""Files that nothing names go once they are old; whatever may still be named, or is, stays."""

import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from controlroom.foundation.blobs import SHELVES, BlobStore
from controlroom.foundation.database import Base
from controlroom.foundation.live_settings import LiveSettings
from controlroom.protocol.messages import ArtifactStored, Ended, Outcome
from controlroom.runs.models import Attempt, UploadedBlob
from controlroom.server.leftovers import NAMED_IN, Leftovers
from runs.conftest import Room, room  # noqa: F401  # the fixture of the runs' tests


async def once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Scene:
    room: Room
    blobs: BlobStore
    leftovers: Leftovers
    folder: Path

    def age(self, hours: float) -> None:
        """Let time pass for every file, as it does for the clock."""
        for path in self.folder.rglob("*"):
            if path.is_file():
                moment = self.room.clock.now().timestamp()
                os.utime(path, (moment, moment))
        self.room.clock.advance(hours * 3600)

    async def upload(self, attempt: Attempt, content: bytes) -> str:
        token = self.room.tokens.token_for(attempt.id)
        await self.room.files.store_artifact(
            attempt.device_id, attempt.id, token, hash_of(content), once(content)
        )
        return hash_of(content)

    async def clear(self) -> None:
        await self.leftovers.clear_once(shelves=SHELVES)

    def has(self, sha256: str) -> bool:
        return (self.folder / "blobs" / sha256[:2] / sha256[2:]).is_file()


@pytest.fixture
def scene(room: Room, tmp_path: Path) -> Scene:  # noqa: F811
    blobs = BlobStore(tmp_path / "blobs")
    return Scene(
        room,
        blobs,
        Leftovers(room.database, blobs, room.clock, room.settings, LiveSettings.of(room.settings)),
        tmp_path,
    )


ENDED = Ended(1, Outcome.SUCCEEDED, 0)


async def test_an_upload_that_no_report_names_goes_after_its_attempt(scene: Scene) -> None:
    await scene.room.device()
    attempt = await scene.room.start()
    named, unnamed = await scene.upload(attempt, b"named"), await scene.upload(attempt, b"never named")
    await scene.room.report(attempt, ArtifactStored("a.txt", named, 5, "text/plain"), ENDED)
    scene.age(23)
    await scene.clear()
    assert scene.has(unnamed), "its report may still come"
    scene.room.clock.advance(7200)
    await scene.clear()
    assert scene.has(named)
    assert not scene.has(unnamed)
    async with scene.room.database.read() as session:
        assert await session.get(UploadedBlob, (attempt.id, unnamed)) is None
    packages = [path for path in (scene.folder / "blobs").glob("??/*") if path.name != named[2:]]
    assert len(packages) == 1, "the bot's package is named by its version"


async def test_an_upload_of_an_attempt_that_still_works_stays(scene: Scene) -> None:
    await scene.room.device()
    attempt = await scene.room.start()
    early = await scene.upload(attempt, b"named at the end")
    scene.age(100)
    await scene.clear()
    await scene.room.report(attempt, ArtifactStored("a.txt", early, 16, "text/plain"), ENDED)
    scene.age(100)
    await scene.clear()
    assert scene.has(early)


async def test_a_blob_that_is_stored_again_is_young_again(scene: Scene) -> None:
    stored = await scene.blobs.put_bytes(b"twice")
    scene.age(100)
    before = scene.room.clock.now() - timedelta(hours=24)
    (found,) = await scene.blobs.older_than(int(stored.sha256[:2], 16), before)
    os.utime(scene.folder / "blobs" / found[:2] / found[2:])  # stored again between the look and the removal
    assert await scene.blobs.delete_old(found, before) is None
    assert scene.has(found)


async def test_half_received_files_of_a_killed_server_go(scene: Scene) -> None:
    for folder in ("uploads", "blobs/incoming"):
        (scene.folder / folder).mkdir(parents=True, exist_ok=True)
        (scene.folder / folder / "half").write_bytes(b"x")
    scene.age(23)
    await scene.clear()
    assert (scene.folder / "uploads" / "half").exists()
    scene.room.clock.advance(7200)
    (scene.folder / "uploads" / "fresh").write_bytes(b"x")
    fresh = scene.room.clock.now().timestamp()
    os.utime(scene.folder / "uploads" / "fresh", (fresh, fresh))
    await scene.clear()
    assert [path.name for path in (scene.folder / "uploads").iterdir()] == ["fresh"]
    assert list((scene.folder / "blobs" / "incoming").iterdir()) == []


async def test_an_empty_database_does_not_cost_the_files(scene: Scene) -> None:
    from sqlalchemy import update

    from controlroom.bots.models import Bot, BotVersion

    stored = await scene.blobs.put_bytes(b"of another database")
    async with scene.room.database.write() as transaction:
        await transaction.session.execute(update(Bot).values(current_version_id=None))
        await transaction.session.execute(BotVersion.__table__.delete())  # type: ignore[attr-defined]  # a table
    scene.age(100)
    await scene.clear()
    assert scene.has(stored.sha256)


def test_every_column_that_may_hold_a_blobs_address_is_known() -> None:
    import controlroom.server.schema  # noqa: F401  # knows every table

    columns = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if "sha256" in column.name or "blob" in column.name
    }
    assert columns == {f"{column.class_.__tablename__}.{column.key}" for column in NAMED_IN}
