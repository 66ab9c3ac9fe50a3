"""A trial of a bot without any Control Room, in this process."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from controlroom.bots.errors import DeclarationInvalid, NoSuchTask, PackageRefused
from controlroom.bots.inputs import InputsInvalid
from controlroom.creator.trial import Trial, try_bot
from controlroom.protocol.messages import Ended, Outcome, ReportBody

HEAD = '# /// script\n# requires-python = ">=3.11"\n# dependencies = []\n'


class Listener:
    """Keeps what was shown."""

    def __init__(self) -> None:
        self.shown: list[ReportBody] = []

    def show(self, body: ReportBody) -> None:
        self.shown.append(body)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store of environments for all tests here, so that the empty one is built once."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "some_bot.py"


async def tried(
    script: Path, state: Path, inputs: Mapping[str, Any] | None = None, task: str = ""
) -> tuple[Trial, Listener]:
    listener = Listener()
    trial = await try_bot(
        script,
        given=lambda _schema: inputs or {},
        output=script.parent / "kept",
        state=state,
        console=listener,
        task=task,
    )
    return trial, listener


async def test_bot_gets_its_inputs_with_defaults_and_gives_outputs(script: Path, state: Path) -> None:
    script.write_text(
        f"{HEAD}# [tool.controlroom.inputs]\n"
        '# left = "integer"\n# right = { type = "integer", default = 2 }\n# ///\n'
        "from controlroom import bot\n"
        'bot.output("sum", bot.inputs["left"] + bot.inputs["right"])\n'
    )

    trial, listener = await tried(script, state, {"left": 40})

    assert trial.outputs == {"sum": 42}
    assert trial.exit_code == 0
    assert isinstance(listener.shown[-1], Ended)


async def test_bot_runs_in_a_copy_of_its_package(script: Path, state: Path) -> None:
    script.write_text(f'{HEAD}# ///\nfrom pathlib import Path\nPath("left-behind.txt").write_text("x")\n')

    await tried(script, state)

    assert [path.name for path in script.parent.iterdir()] == ["some_bot.py"]


async def test_files_of_a_bot_are_kept_with_their_folders(tmp_path: Path, state: Path) -> None:
    folder = tmp_path / "some-bot"
    folder.mkdir()
    (folder / "controlroom.toml").write_text('artifacts = "results"\n')
    (folder / "main.py").write_text(
        "from pathlib import Path\n"
        'Path("results/inner").mkdir(parents=True)\n'
        'Path("results/inner/one.txt").write_text("1")\n'
    )

    trial, _ = await tried(folder, state)

    assert [kept.name for kept in trial.artifacts] == ["inner/one.txt"]
    assert (tmp_path / "kept" / "inner" / "one.txt").read_text() == "1"


@pytest.mark.skipif(os.name == "nt", reason="Windows lets only some users make links")
async def test_file_is_not_kept_through_a_link_that_leads_elsewhere(script: Path, state: Path) -> None:
    elsewhere = script.parent / "elsewhere"
    elsewhere.mkdir()
    (script.parent / "kept").mkdir()
    (script.parent / "kept" / "note.txt").symlink_to(elsewhere / "note.txt")
    script.write_text(
        f"{HEAD}# ///\nfrom pathlib import Path\nfrom controlroom import bot\n"
        'Path("note.txt").write_text("x")\nbot.artifact("note.txt")\n'
    )

    trial, _ = await tried(script, state)

    assert trial.artifacts == []
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "outcome", "code"),
    [
        ("raise SystemExit(9)", Outcome.FAILED, 9),
        ("raise ValueError('odd')", Outcome.FAILED, 1),
        ("from controlroom import bot\nbot.fail('no stock')", Outcome.FAILED, 1),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", Outcome.FAILED, 1),
    ],
)
async def test_failing_bot_gives_its_exit_code(
    script: Path, state: Path, body: str, outcome: Outcome, code: int
) -> None:
    script.write_text(f"{HEAD}# ///\n{body}\n")

    trial, _ = await tried(script, state)

    assert trial.ended is not None
    assert trial.ended.outcome is outcome
    assert trial.ended.message
    assert trial.exit_code == code


async def test_time_limit_of_the_bot_counts_here_too(script: Path, state: Path) -> None:
    script.write_text(
        f'{HEAD}# [tool.controlroom]\n# timeout = "1s"\n# ///\nimport threading\nthreading.Event().wait(60)\n'
    )

    trial, _ = await tried(script, state)

    assert trial.ended is not None
    assert trial.ended.outcome is Outcome.TIMED_OUT
    assert trial.exit_code == 1


async def test_what_cannot_run_is_refused_before_anything_starts(script: Path, state: Path) -> None:
    with pytest.raises(PackageRefused, match="no folder or file"):
        await tried(script, state)

    script.write_text(f"{HEAD}# ///\nprint(\n")
    with pytest.raises(DeclarationInvalid, match="does not compile"):
        await tried(script, state)

    script.write_text(f'{HEAD}# [tool.controlroom.inputs]\n# amount = "number"\n# ///\n')
    with pytest.raises(NoSuchTask):
        await tried(script, state, {"amount": 1}, task="other")
    with pytest.raises(InputsInvalid, match="amount"):
        await tried(script, state, {"amount": "much"})


async def test_what_is_left_out_of_the_package_is_not_there_in_a_trial(tmp_path: Path, state: Path) -> None:
    folder = tmp_path / "bot"
    (folder / "drafts").mkdir(parents=True)
    (folder / "drafts" / "old.txt").write_text("old")
    (folder / "main.py").write_text(
        f'{HEAD}# [tool.controlroom]\n# exclude = ["drafts/"]\n# ///\n'
        "import os\nfrom controlroom import bot\n"
        'bot.output("files", sorted(os.listdir(os.path.dirname(__file__))))\n'
    )
    trial, _ = await tried(folder, state)
    assert trial.outputs == {"files": ["main.py"]}


async def test_a_file_among_the_inputs_is_the_authors_own_by_its_path(script: Path, state: Path) -> None:
    script.write_text(
        f"{HEAD}# [tool.controlroom.inputs]\n"
        '# paper = { type = "file", contentMediaType = "text/plain", x-max-mb = 0.01 }\n'
        '# more = { type = "array", items = { type = "string", format = "file" }, required = false }\n# ///\n'
        "import stat\n"
        "from controlroom import bot\n"
        'paths = [bot.inputs.path("paper"), *bot.inputs.paths("more")]\n'
        'bot.output("texts", [path.read_text() for path in paths])\n'
        'bot.output("names", [path.name for path in paths])\n'
        'bot.output("modes", [stat.S_IMODE(path.stat().st_mode) for path in paths])\n'
    )
    (script.parent / "a").mkdir()
    one, two = script.parent / "one.txt", script.parent / "a" / "one.txt"
    one.write_text("one")
    two.write_text("two")
    trial, _ = await tried(script, state, {"paper": str(one), "more": [f"@{two}", str(one)]})
    assert trial.exit_code == 0
    assert trial.outputs == {
        "texts": ["one", "two", "one"],
        "names": ["one.txt", "one-2.txt", "one.txt"],
        "modes": [0o400] * 3,
    }
    assert one.read_text() == "one"
    assert one.stat().st_mode & 0o200, "the author's own file stays as it was"


async def test_a_file_that_is_not_there_or_does_not_fit_is_told_at_its_field(
    script: Path, state: Path
) -> None:
    script.write_text(
        f"{HEAD}# [tool.controlroom.inputs]\n"
        '# paper = { type = "file", contentMediaType = "text/plain", x-max-mb = 0.01 }\n'
        '# more = { type = "array", items = { type = "string", format = "file" } }\n# ///\n'
    )
    (script.parent / "large.txt").write_text("x" * 20_000)
    with pytest.raises(InputsInvalid) as refused:
        await tried(
            script, state, {"paper": str(script.parent / "large.txt"), "more": ["/nowhere", str(script)]}
        )
    assert {field.pointer: field.message.split(":")[0] for field in refused.value.fields} == {
        "/inputs/paper": "must be a file of at most 0.01 MB",
        "/inputs/more/0": "names no file on this machine",
    }
