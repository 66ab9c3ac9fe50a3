"""Nothing is lost while the Control Room is away or after the runner crashed, and no folder is left for ever."""

import asyncio
from pathlib import Path

from controlroom.protocol.messages import (
    Log,
    Outcome,
    StartAttempt,
    Started,
)
from controlroom.protocol.records import Level, LogRecord, Stream
from controlroom.runner.agent.folder import create_folder
from controlroom.runner.spool import Spool
from runner.agent.scene import PACKAGE, running
from runner.link.control_room import ControlRoom, make_plan


async def test_bots_go_on_while_the_control_room_is_away(room: ControlRoom, tmp_path: Path) -> None:
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        bot = await scene.started("att_1")
        room.websocket_status = 503
        await room.cut()
        for n in range(20):
            await bot.sink.report(Log((LogRecord(n, Stream.STDOUT, Level.INFO, str(n)),)))
        bot.end()
        room.websocket_status = 0

        await scene.closed("att_1")
        assert [record.text for record in room.attempt("att_1").log] == [str(n) for n in range(20)]
        assert room.attempt("att_1").plan in [make_plan("att_1", PACKAGE)]


async def test_an_attempt_found_after_a_crash_is_ended_and_its_reports_delivered(
    room: ControlRoom, tmp_path: Path
) -> None:
    plan = make_plan("att_1", PACKAGE)
    folder = create_folder(tmp_path / "attempts", plan)
    assert folder is not None
    spool = await Spool.open(folder.spool, "att_1", plan.token, limit_bytes=1 << 20)
    await spool.append(Started(1, False, "env", 1))
    (tmp_path / "attempts" / "att_9.new").mkdir()
    broken = tmp_path / "attempts" / "att_2"
    broken.mkdir()
    (broken / "plan.msgpack").write_bytes(b"\xff\x00")
    room.attempt("att_1").plan = plan

    async with running(room, tmp_path) as scene:
        ended = await scene.closed("att_1")
        await scene.folder_gone("att_1")

        assert (ended.outcome, ended.message) == (
            Outcome.LOST,
            "The Bot Runner was stopped while the bot ran.",
        )
        assert room.hellos[0].held[0].attempt_id == "att_1"
        assert set(scene.executor.leftovers) == {folder.workspace, broken / "workspace"}
        assert not scene.executor.bots
        assert not list((tmp_path / "attempts").iterdir())


async def test_a_crash_after_the_end_delivers_it_and_the_artifact(room: ControlRoom, tmp_path: Path) -> None:
    room.artifact_status = 503
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        bot = await scene.started("att_1")
        source = tmp_path / "result.txt"
        source.write_text("kept")
        stored = await bot.uploader.upload(source, "result.txt", "text/plain")
        await bot.sink.report(stored)
        bot.end()
        await asyncio.wait_for(asyncio.shield(scene.agent._attempts.get("att_1").task), 10)  # type: ignore[union-attr, arg-type]
    room.artifact_status = 204

    async with running(room, tmp_path) as scene:
        assert (await scene.closed("att_1")).outcome is Outcome.SUCCEEDED
        assert room.artifacts[stored.sha256] == b"kept"
        assert not scene.executor.bots


async def test_workspaces_of_failures_are_kept_within_their_number(room: ControlRoom, tmp_path: Path) -> None:
    async with running(room, tmp_path, keep_failed=2) as scene:
        await room.until(lambda: room.hellos)
        for n in range(4):
            await room.assign(make_plan(f"att_{n}", PACKAGE))
            (await scene.started(f"att_{n}")).end(Outcome.FAILED, "Wrong.")
            await scene.closed(f"att_{n}")
            await scene.folder_gone(f"att_{n}")
        kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
        assert kept == ["att_2", "att_3"]


async def test_ids_that_lead_out_of_the_folder_are_refused(room: ControlRoom, tmp_path: Path) -> None:
    async with running(room, tmp_path / "state") as scene:
        await room.until(lambda: room.hellos)
        room.say(StartAttempt(make_plan("../../evil", PACKAGE)))
        await room.assign(make_plan("att_1", PACKAGE))
        (await scene.started("att_1")).end()
        await scene.closed("att_1")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["state"]
