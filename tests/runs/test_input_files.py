"""Files as inputs, from the upload to the runner: who may name which, what does not fit, what is kept and for how long."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from controlroom.audit.models import AuditEntry
from controlroom.bots.inputs import InputsInvalid
from controlroom.foundation.blobs import SHELVES, BlobStore
from controlroom.foundation.errors import Forbidden, Invalid, NotFound, TooLarge
from controlroom.foundation.ids import new_id
from controlroom.foundation.live_settings import LiveSettings
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import Place, Placed, PlaceKind
from controlroom.protocol import FILES_PROTOCOL_VERSION
from controlroom.protocol.messages import StartAttempt
from controlroom.protocol.plan import PlannedFile
from controlroom.runs.errors import AttemptForbidden, IdempotencyKeyReused
from controlroom.runs.input_files.errors import (
    InputFileDamaged,
    InputFileInUse,
    InputFileNotFound,
    TooManyUnusedFiles,
)
from controlroom.runs.input_files.models import InputFile
from controlroom.runs.input_files.service import InputFileService, forget_unused_files
from controlroom.runs.models import Run
from controlroom.runs.queries import run_detail, why_they_wait
from controlroom.runs.schemas import BulkIn, RepeatIn, RunIn
from controlroom.runs.states import State
from controlroom.server.leftovers import Leftovers
from runs.conftest import CALLER, FACTS, Room, once
from serving import package_of, script

FILE = {"type": "string", "format": "file"}
ASKER = frozenset({Permission.RUN_REQUEST, Permission.RUN_READ, Permission.DEVICE_USE, Permission.BOT_READ})
ANN = Caller(CALLER.actor, new_id("usr"), "ann", ASKER)
BOB = Caller(CALLER.actor, new_id("usr"), "bob", ASKER)
BLIND = Caller(CALLER.actor, new_id("usr"), "blind", ASKER - {Permission.RUN_READ})
TYPED = {**FILE, "contentMediaType": "application/pdf"}
FIRST, SECOND = b"%PDF first", b"%PDF second"


@dataclass
class Desk:
    """A bot that takes files, and the service that keeps them."""

    room: Room
    files: InputFileService
    blobs: BlobStore

    async def upload(
        self, content: bytes = FIRST, name: str = "a.pdf", caller: Caller = ANN, **known: Any
    ) -> InputFile:
        return await self.files.upload(caller, once(content), name=name, **known)

    async def ask(self, caller: Caller = ANN, **inputs: object) -> Run:
        return (await self.room.runs.request(caller, RunIn(bot="papers", inputs=inputs)))[0]

    async def refused(self, caller: Caller = ANN, **inputs: object) -> dict[str, str]:
        with pytest.raises(InputsInvalid) as error:
            await self.ask(caller, **inputs)
        return {field.pointer: field.message for field in error.value.fields}

    async def audited(self) -> list[str]:
        async with self.room.database.read() as session:
            query = select(AuditEntry.action).where(AuditEntry.target_kind == "input_file")
            return list(await session.scalars(query.order_by(AuditEntry.number)))

    async def count(self) -> int:
        async with self.room.database.read() as session:
            return len((await session.scalars(select(InputFile.id))).all())

    async def forget(self) -> int:
        async with self.room.database.write() as transaction:
            return await forget_unused_files(transaction, self.room.clock.now())


@pytest.fixture
async def desk(room: Room, tmp_path: Path) -> Desk:
    properties = {
        "paper": TYPED,
        "small": {**FILE, "x-max-mb": 0.001},
        "more": {"type": "array", "items": FILE},
        "note": {"type": "string"},
    }
    source = script("print()", inputs={"type": "object", "properties": properties}, labels=["os=linux"])
    await room.bots.publish(CALLER, once(package_of(source, "papers")), name="papers")
    room.settings = replace_settings(room, input_file_limit_mb=1, unused_files_limit_mb=2)
    blobs = BlobStore(tmp_path / "blobs")
    return Desk(room, InputFileService(room.database, blobs, room.clock, room.settings), blobs)


def replace_settings(room: Room, **changes: object) -> Any:
    return room.settings.model_copy(update=changes)


async def test_a_run_is_given_the_files_that_its_inputs_name(desk: Desk) -> None:
    paper, other = await desk.upload(), await desk.upload(SECOND, "b.txt")
    run = await desk.ask(paper=paper.id, more=[other.id, paper.id], note=other.id)
    given = await desk.files.of_run(ANN, run.id)
    assert [(row.pointer, file.name) for row, file in given] == [
        ("/more/0", "b.txt"), ("/more/1", "a.pdf"), ("/paper", "a.pdf"),
    ]  # fmt: skip
    assert await desk.files.unused(ANN) == []
    file, path = await desk.files.content(BOB, run.id, paper.id)
    assert (file.name, path.read_bytes()) == ("a.pdf", FIRST)
    assert await desk.audited() == ["input_file.uploaded", "input_file.uploaded", "input_file.downloaded"]


async def test_a_run_without_files_asks_nothing_of_them(desk: Desk) -> None:
    run = await desk.ask(note="x")
    assert await desk.files.of_run(ANN, run.id) == []


async def test_a_file_that_cannot_be_used_is_an_error_at_its_field(desk: Desk) -> None:
    foreign, text, large = (
        await desk.upload(caller=BOB),
        await desk.upload(name="a.txt"),
        await desk.upload(b"x" * 2_000, "a.bin"),
    )
    errors = await desk.refused(paper=text.id, small=large.id, more=[foreign.id, new_id("fil")])
    assert set(errors) == {"/inputs/paper", "/inputs/small", "/inputs/more/0", "/inputs/more/1"}
    assert "application/pdf" in errors["/inputs/paper"]
    assert "at most 0.001 MB" in errors["/inputs/small"]
    assert errors["/inputs/more/0"] == errors["/inputs/more/1"], "another's file is as good as none"
    assert "foreign" not in str(errors)


async def test_a_file_that_expired_is_refused_before_and_after_it_is_forgotten(desk: Desk) -> None:
    paper = await desk.upload()
    desk.room.clock.advance(timedelta(hours=24).total_seconds())
    assert set(await desk.refused(paper=paper.id)) == {"/inputs/paper"}
    assert await desk.files.unused(ANN) == []
    assert await desk.forget() == 1
    assert set(await desk.refused(paper=paper.id)) == {"/inputs/paper"}


async def test_a_file_that_a_run_was_given_outlives_its_time_and_is_run_again_with(desk: Desk) -> None:
    paper = await desk.upload()
    run = await desk.ask(paper=paper.id)
    desk.room.clock.advance(timedelta(days=30).total_seconds())
    assert await desk.forget() == 0
    again = await desk.room.runs.repeat(ANN, run.id, RepeatIn())
    assert [file.id for _, file in await desk.files.of_run(ANN, again.id)] == [paper.id]
    (result,) = await desk.room.runs.do_to_many(ANN, _repeat(), BulkIn(ids=[run.id]))
    assert result.done, result.message
    assert await desk.ask(paper=paper.id)


def _repeat() -> Any:
    from controlroom.runs.bulk import BulkAction

    return BulkAction.REPEAT


async def test_a_file_of_a_run_that_one_may_read_may_be_named_and_of_no_other(desk: Desk) -> None:
    paper = await desk.upload()
    assert set(await desk.refused(BOB, paper=paper.id)) == {"/inputs/paper"}
    run = await desk.ask(paper=paper.id)
    assert await desk.ask(BOB, paper=paper.id), "Bob may read Ann's run"
    assert set(await desk.refused(BLIND, paper=paper.id)) == {"/inputs/paper"}
    again = await desk.room.runs.repeat(BLIND, run.id, RepeatIn())
    assert again.inputs == {"paper": paper.id}, "who may run it again may do so with its files"


async def test_a_right_in_one_folder_opens_no_file_of_a_run_in_another(desk: Desk) -> None:
    paper = await desk.upload()
    await desk.ask(paper=paper.id)
    placed = Placed({Place(PlaceKind.FOLDER, "/sales"): ASKER})
    elsewhere = Caller(CALLER.actor, new_id("usr"), "eve", placed.anywhere, placed=placed)
    assert set(await desk.files.known(BOB, {paper.id})) == {paper.id}
    assert await desk.files.known(elsewhere, {paper.id}) == {}


async def test_the_same_key_gives_the_same_run_when_its_file_is_the_same(desk: Desk) -> None:
    paper, other = await desk.upload(), await desk.upload(SECOND)

    def wanted(file: InputFile) -> RunIn:
        return RunIn(bot="papers", inputs={"paper": file.id}, idempotency_key="one")

    first, _ = await desk.room.runs.request(ANN, wanted(paper))
    desk.room.clock.advance(timedelta(days=2).total_seconds())
    again, is_new = await desk.room.runs.request(ANN, wanted(paper))
    assert (again.id, is_new) == (first.id, False)
    with pytest.raises(IdempotencyKeyReused):
        await desk.room.runs.request(ANN, wanted(other))


async def test_files_of_runs_are_compared_by_what_they_hold(desk: Desk) -> None:
    one, same, other = await desk.upload(), await desk.upload(), await desk.upload(SECOND)
    runs = [await desk.ask(paper=file.id) for file in (one, same, other)]
    alike = (await desk.room.runs.compare(ANN, runs[1].id, runs[0].id)).inputs
    unlike = (await desk.room.runs.compare(ANN, runs[2].id, runs[0].id)).inputs
    assert [row.differs for row in alike] == [False]
    assert [row.differs for row in unlike] == [True]
    assert unlike[0].after["file"] == "a.pdf"


async def test_what_lies_unused_is_bounded_in_bytes_and_number(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    almost = b"x" * 1_048_000
    first = await desk.upload(almost, "a.bin")
    await desk.upload(almost, "b.bin")
    with pytest.raises(TooLarge):
        await desk.upload(almost, "c.bin")
    with pytest.raises(TooManyUnusedFiles):
        await desk.upload(b"", "c.bin", size_bytes=1_000_000)
    assert await desk.upload(almost, "c.bin", caller=BOB), "each person has room of their own"
    await desk.ask(more=[first.id])
    assert await desk.upload(almost, "c.bin"), "what a run was given lies unused no more"
    monkeypatch.setattr("controlroom.runs.input_files.service.MOST_UNUSED", 1)
    with pytest.raises(TooManyUnusedFiles):
        await desk.upload(b"1", "d.bin")


async def test_an_upload_that_cannot_stand_is_refused(desk: Desk) -> None:
    with pytest.raises(TooLarge):
        await desk.upload(b"x" * 1_048_577, "a.bin")
    with pytest.raises(TooLarge):
        await desk.upload(b"", "a.bin", size_bytes=2**40)
    with pytest.raises(Invalid) as refused:
        await desk.upload(name="../a.pdf")
    assert refused.value.fields[0].pointer == "/name"
    with pytest.raises(Invalid):
        await desk.upload(expected_sha256="0" * 64)
    with pytest.raises(Forbidden):
        await desk.upload(caller=replace(ANN, permissions=frozenset({Permission.RUN_READ})))
    assert await desk.count() == 0


async def test_only_ones_own_unused_file_can_be_removed(desk: Desk) -> None:
    paper, other = await desk.upload(), await desk.upload(SECOND)
    with pytest.raises(InputFileNotFound):
        await desk.files.remove(BOB, paper.id)
    await desk.ask(paper=other.id)
    with pytest.raises(InputFileInUse):
        await desk.files.remove(ANN, other.id)
    await desk.files.remove(ANN, paper.id)
    with pytest.raises(InputFileNotFound):
        await desk.files.remove(ANN, paper.id)
    assert (await desk.audited())[-1] == "input_file.removed"


async def test_a_runs_file_is_had_through_that_run_alone(desk: Desk) -> None:
    paper, other = await desk.upload(), await desk.upload(SECOND)
    mine, theirs = await desk.ask(paper=paper.id), await desk.ask(paper=other.id)
    for run_id, file_id in ((mine.id, other.id), (theirs.id, paper.id), (mine.id, new_id("fil"))):
        with pytest.raises(InputFileNotFound):
            await desk.files.content(ANN, run_id, file_id)
    with pytest.raises(NotFound):
        await desk.files.content(ANN, new_id("run"), paper.id)
    with pytest.raises(Forbidden):
        await desk.files.content(BLIND, mine.id, paper.id)


async def test_the_plan_names_the_files_and_only_its_own_device_is_given_them(desk: Desk) -> None:
    await desk.room.device("one")
    paper, other = await desk.upload(), await desk.upload(SECOND)
    run, without = await desk.ask(paper=paper.id), await desk.ask(note="x")
    await desk.room.dispatcher.assign_all()
    attempt = await desk.room.attempt_of(run.id)
    stranger = await desk.room.device("two")
    (start,) = await desk.room.orders.for_device(attempt.device_id, known=set())
    assert isinstance(start, StartAttempt)
    assert start.plan.files == (PlannedFile("/paper", paper.id, "a.pdf", paper.sha256, len(FIRST)),)
    token = desk.room.tokens.token_for(attempt.id)
    path, sha256 = await desk.room.files.input_file(attempt.device_id, attempt.id, token, paper.id)
    assert (path.read_bytes(), sha256) == (FIRST, paper.sha256)
    for device_id, key, file_id in (
        (stranger, token, paper.id),
        (attempt.device_id, desk.room.tokens.token_for("att_other"), paper.id),
        (attempt.device_id, token, other.id),
    ):
        with pytest.raises(AttemptForbidden):
            await desk.room.files.input_file(device_id, attempt.id, key, file_id)
    assert (await desk.room.run(without.id)).inputs == {"note": "x"}


async def test_files_wait_for_a_runner_that_fetches_them(desk: Desk) -> None:
    """One of an older protocol would hand its bot the id of a file where a path is meant."""
    room, before = desk.room, FILES_PROTOCOL_VERSION - 1
    old = await room.device("old")
    await room.presence.connected(old, "con_old", FACTS, protocol_version=before)
    run, without = await desk.ask(paper=(await desk.upload()).id), await desk.ask(note="x")
    await room.dispatcher.assign_all()
    assert (await room.run(without.id)).state is State.ASSIGNED
    assert (await room.run(run.id)).state is State.QUEUED
    async with room.database.read() as session:
        waiting = await session.get_one(Run, run.id)
        told = await run_detail(session, ANN, waiting, room.clock.now(), room.settings)
        briefly = await why_they_wait(session, [waiting], room.clock.now(), room.settings)
    assert told.waiting_because == briefly[run.id]
    assert told.waiting_because.startswith(
        "It has files, and the Bot Runner on the device that fits is too old"
    )
    new = await room.device("new")
    await room.dispatcher.assign_all()
    assert (await room.attempt_of(run.id)).device_id == new
    await room.presence.connected(new, "con_new", FACTS, protocol_version=before)
    assert await room.orders.for_device(new, known=set()) == []


@pytest.mark.parametrize("harm", [lambda path: path.write_bytes(b"other"), Path.unlink])
async def test_a_harmed_file_is_given_to_nobody(desk: Desk, harm: Callable[[Path], object]) -> None:
    await desk.room.device()
    paper = await desk.upload()
    run = await desk.ask(paper=paper.id)
    await desk.room.dispatcher.assign_all()
    attempt = await desk.room.attempt_of(run.id)
    harm(await desk.blobs.path(paper.sha256))
    token = desk.room.tokens.token_for(attempt.id)
    with pytest.raises(InputFileDamaged):
        await desk.room.files.input_file(attempt.device_id, attempt.id, token, paper.id)
    with pytest.raises((InputFileDamaged, NotFound)):
        await desk.files.content(ANN, run.id, paper.id)


async def test_content_stays_as_long_as_a_file_is_named_and_goes_after(desk: Desk, tmp_path: Path) -> None:
    paper, lost = await desk.upload(), await desk.upload(SECOND)
    await desk.ask(paper=paper.id)
    desk.room.clock.advance(timedelta(days=3).total_seconds())
    keeper = Leftovers(
        desk.room.database,
        desk.blobs,
        desk.room.clock,
        desk.room.settings,
        LiveSettings.of(desk.room.settings),
    )
    for path in (tmp_path / "blobs").rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))
    await keeper.clear_once(shelves=SHELVES)
    assert await desk.blobs.path(lost.sha256), "its row still names it"
    assert await desk.forget() == 1
    await keeper.clear_once(shelves=SHELVES)
    assert await desk.blobs.path(paper.sha256)
    with pytest.raises(NotFound):
        await desk.blobs.path(lost.sha256)
