"""Files among the inputs are fetched before the bot starts, checked, and cannot be changed; what fails says why."""

import hashlib
import shutil
import stat
from collections import namedtuple
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.protocol.messages import Outcome, Preparing
from controlroom.protocol.plan import AttemptPlan, PlannedFile
from controlroom.runner.input_files import inputs_with_paths, paths_of
from runner.agent.scene import PACKAGE, Scene, running
from runner.link.control_room import ControlRoom, make_plan

USAGE = namedtuple("USAGE", "total used free")


def planned(
    room: ControlRoom, content: bytes = b"invoice", name: str = "../a.pdf", **changes: object
) -> AttemptPlan:
    """Return a plan with one file twice and another of nearly the same name."""
    room.files = {"fil_1": content, "fil_2": b"other"}
    one = PlannedFile("/invoice", "fil_1", name, hashlib.sha256(content).hexdigest(), len(content))
    two = PlannedFile("/more/1", "fil_2", "A.PDF", hashlib.sha256(b"other").hexdigest(), 5)
    files = (
        msgspec.structs.replace(one, **changes),
        msgspec.structs.replace(one, pointer="/more/0", **changes),
        two,
    )
    return make_plan(
        "att_1", PACKAGE, files=files, inputs={"invoice": "fil_1", "more": ["fil_1", "fil_2"], "n": 1}
    )


def lying(scene: Scene) -> Path:
    return scene.state / "attempts" / "att_1" / "workspace" / "input-files"


async def test_files_lie_read_only_under_safe_names_when_the_bot_starts(
    room: ControlRoom, tmp_path: Path
) -> None:
    plan = planned(room)
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(plan)
        bot = await scene.started("att_1")
        folder = lying(scene)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
            "a.pdf": b"invoice",
            "A-2.PDF": b"other",
        }
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o400}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o500
        assert inputs_with_paths(plan, folder) == {
            "invoice": str(folder / "a.pdf"),
            "more": [str(folder / "a.pdf"), str(folder / "A-2.PDF")],
            "n": 1,
        }
        assert room.file_requests == 2, "what is named twice is fetched once"
        assert any(isinstance(body, Preparing) for body in room.attempt("att_1").bodies)
        bot.end()
        await scene.closed("att_1")


async def test_a_run_without_files_fetches_and_makes_nothing(room: ControlRoom, tmp_path: Path) -> None:
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(make_plan("att_1", PACKAGE))
        bot = await scene.started("att_1")
        assert not lying(scene).exists()
        assert not any(isinstance(body, Preparing) for body in room.attempt("att_1").bodies)
        bot.end()
        await scene.closed("att_1")


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"sha256": "0" * 64}, "damaged or replaced"), ({"size_bytes": 3}, "longer than the 3 bytes announced")],
)
async def test_a_file_that_is_not_what_was_announced_rejects_the_attempt(
    room: ControlRoom, tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(planned(room, **changes))
        ended = await scene.closed("att_1")
        assert ended.outcome is Outcome.REJECTED
        assert "a.pdf" in ended.message
        assert words in ended.message
        assert "att_1" not in scene.executor.bots


@pytest.mark.parametrize("status", [403, 404, 409])
async def test_a_file_that_is_refused_rejects_the_attempt(
    room: ControlRoom, tmp_path: Path, status: int
) -> None:
    room.file_status = status
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(planned(room))
        ended = await scene.closed("att_1")
        assert ended.outcome is Outcome.REJECTED
        assert f"{status}. Not now." in ended.message


async def test_a_file_is_asked_for_again_while_the_control_room_is_busy(
    room: ControlRoom, tmp_path: Path
) -> None:
    room.file_status = 503
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(planned(room))
        await room.until(lambda: room.file_requests)
        room.file_status = 200
        (await scene.started("att_1")).end()
        await scene.closed("att_1")


async def test_a_control_room_that_stays_away_loses_the_attempt_so_that_it_is_tried_again(
    room: ControlRoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.file_status = 503
    async with running(room, tmp_path) as scene:
        scene.agent._means.input_files._patience_seconds = 0.2
        await room.until(lambda: room.hellos)
        await room.assign(planned(room))
        ended = await scene.closed("att_1")
        assert ended.outcome is Outcome.LOST
        assert "could not be fetched" in ended.message


async def test_files_for_which_the_disk_has_no_room_reject_the_attempt_before_they_are_fetched(
    room: ControlRoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: USAGE(10**9, 10**9, 2 * 1024 * 1024 + 11))
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(planned(room))
        ended = await scene.closed("att_1")
        assert ended.outcome is Outcome.REJECTED
        assert "free some space" in ended.message
        assert room.file_requests == 0


async def test_a_cancel_while_files_come_ends_the_attempt(room: ControlRoom, tmp_path: Path) -> None:
    room.file_status = 503
    async with running(room, tmp_path) as scene:
        await room.until(lambda: room.hellos)
        await room.assign(planned(room))
        await room.until(lambda: room.file_requests)
        attempt = scene.agent._attempts.get("att_1")
        assert attempt is not None
        await attempt.cancel(1, Outcome.CANCELLED, "Not needed.")
        assert (await scene.closed("att_1")).outcome is Outcome.CANCELLED


NAMES = st.sampled_from(["..", "../../x", "/etc/passwd", "C:\\x", "con", "a", "A", "a.", ""]) | st.text(
    max_size=40
)


@given(st.lists(NAMES, max_size=8))
def test_no_name_leads_out_of_the_folder_or_onto_another_file(names: list[str]) -> None:
    files = [PlannedFile(f"/{number}", f"fil_{number}", name, "", 0) for number, name in enumerate(names)]
    paths = paths_of(files, Path("/work/input-files"))
    assert {path.parent for path in paths.values()} <= {Path("/work/input-files")}
    assert len({str(path).casefold() for path in paths.values()}) == len(names)
