"""Packages are fetched once, checked and kept within limits; artifacts are stored before they are reported."""

import asyncio
from pathlib import Path

import pytest

from controlroom.protocol.messages import (
    ArtifactStored,
    Outcome,
)
from controlroom.protocol.records import Level, Stream
from runner.agent.scene import PACKAGE, running
from runner.link.control_room import ControlRoom, make_plan


async def test_a_package_is_fetched_once_for_many_attempts(room: ControlRoom, tmp_path: Path) -> None:
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        for name in ("att_1", "att_2"):
            await room.assign(make_plan(name, PACKAGE))
        for name in ("att_1", "att_2"):
            (await scene.started(name)).end()
            await scene.closed(name)
        assert room.package_requests == 1


@pytest.mark.parametrize("status", [403, 404])
async def test_a_package_that_is_refused_rejects_the_attempt(
    room: ControlRoom, tmp_path: Path, status: int
) -> None:
    room.package_status = status
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        ended = await scene.closed("att_1")
        assert ended.outcome is Outcome.REJECTED
        assert f"{status}. Not now." in ended.message


async def test_a_package_that_is_not_what_its_hash_says_rejects_the_attempt(
    room: ControlRoom, tmp_path: Path
) -> None:
    plan = make_plan("att_1", b"genuine")
    room.packages[plan.package_sha256] = b"altered"
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(plan)
        ended = await scene.closed("att_1")
        assert ended.outcome is Outcome.REJECTED
        assert plan.package_sha256 in ended.message
        assert not list((tmp_path / "packages").iterdir())


async def test_a_package_is_asked_for_again_while_the_control_room_is_busy(
    room: ControlRoom, tmp_path: Path
) -> None:
    room.package_status = 503
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        await room.until(lambda: room.package_requests)
        room.package_status = 200
        (await scene.started("att_1")).end()
        await scene.closed("att_1")


async def test_the_least_recently_used_package_goes_when_the_cache_is_full(
    room: ControlRoom, tmp_path: Path
) -> None:
    async with running(room, tmp_path, package_cache_mb=1) as scene:
        await room.until(lambda: room.hellos)
        for n in range(4):
            content = bytes([65 + n]) * 400_000
            plan = make_plan(f"att_{n}", content)
            room.packages[plan.package_sha256] = content
            await room.assign(plan)
            (await scene.started(f"att_{n}")).end()
            await scene.closed(f"att_{n}")
        kept = {path.stem for path in (tmp_path / "packages").glob("*.zip")}
        assert kept == {make_plan("x", bytes([65 + n]) * 400_000).package_sha256 for n in (2, 3)}


async def test_an_artifact_is_stored_before_its_report_and_in_order(
    room: ControlRoom, tmp_path: Path
) -> None:
    room.artifact_status = 503
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        bot = await scene.started("att_1")
        source = tmp_path / "result.txt"
        source.write_text("first")
        stored = await bot.uploader.upload(source, "result.txt", "text/plain")
        source.write_text("changed later")
        await bot.sink.report(stored)
        bot.end()
        await asyncio.wait_for(asyncio.shield(scene.agent._attempts.get("att_1").task), 10)  # type: ignore[union-attr, arg-type]
        assert room.attempt("att_1").ended is None
        room.artifact_status = 204

        await scene.closed("att_1")
        assert room.attempt("att_1").bodies[1] == stored
        assert room.artifacts[stored.sha256] == b"first"
        assert stored.size_bytes == 5


async def test_an_artifact_that_is_refused_is_said_in_the_log(room: ControlRoom, tmp_path: Path) -> None:
    room.artifact_status = 413
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        bot = await scene.started("att_1")
        source = tmp_path / "result.txt"
        source.write_text("big")
        await bot.sink.report(await bot.uploader.upload(source, "result.txt", "text/plain"))
        bot.end()

        await scene.closed("att_1")
        (record,) = room.attempt("att_1").log
        assert (record.stream, record.level) == (Stream.SYSTEM, Level.ERROR)
        assert "'result.txt'" in record.text
        assert not any(isinstance(body, ArtifactStored) for body in room.attempt("att_1").bodies)
