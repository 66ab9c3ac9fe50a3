"""The `controlroom bot` commands that need no Control Room, as an author types them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from controlroom.creator.scaffold import begin_bot

COMMAND = [sys.executable, "-m", "controlroom.cli", "bot"]


@pytest.fixture
def author(tmp_path: Path) -> dict[str, str]:
    """An author's environment, whose folders are the test's own."""
    return {**os.environ, "CONTROLROOM_RUNNER_STATE": str(tmp_path / "state" / "runner"), "NO_COLOR": "1"}


def bot(author: dict[str, str], folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words], env=author, cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )


def test_new_check_run_as_an_author_does(author: dict[str, str], tmp_path: Path) -> None:
    assert bot(author, tmp_path, "new", "hello").returncode == 0
    assert bot(author, tmp_path, "check", "hello").returncode == 0
    done = bot(author, tmp_path, "run", "hello", "--input", "greeted=Ada", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"] == {"greeting": "Hello, Ada!"}


def test_inputs_that_do_not_fit_are_told_by_name_before_anything_starts(
    author: dict[str, str], tmp_path: Path
) -> None:
    begin_bot(tmp_path / "hello")
    done = bot(author, tmp_path, "run", "hello", "--input", "times=many")
    assert done.returncode == 2
    assert "times" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_exit_code_is_the_bots_own_and_its_files_are_kept(author: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(
        '# /// script\n# requires-python = ">=3.11"\n# ///\n'
        "import pathlib, sys\nfrom controlroom import bot\n"
        'pathlib.Path("note.txt").write_text("kept")\nbot.artifact("note.txt")\nsys.exit(7)\n'
    )
    done = bot(author, tmp_path, "run", "failing.py", "--output", "left")
    assert done.returncode == 7
    assert (tmp_path / "left" / "note.txt").read_text() == "kept"


def test_a_package_that_cannot_be_published_is_refused_with_words(
    author: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text("# /// script\n# dependencies = [\n# ///\nprint(1)\n")
    done = bot(author, tmp_path, "check", "broken.py", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["findings"][0]["severity"] == "error"


@pytest.mark.skipif(sys.platform == "win32", reason="the signals are those of POSIX")
def test_ctrl_c_lets_the_bot_end_in_its_own_way(author: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "waiting.py").write_text(
        '# /// script\n# requires-python = ">=3.11"\n# ///\n'
        "import threading\nfrom controlroom import bot\n"
        'print("waiting", flush=True)\n'
        "try:\n    threading.Event().wait(90)\n"
        'finally:\n    print("tidied up", flush=True)\n'
    )
    process = subprocess.Popen(
        [*COMMAND, "run", "waiting.py"],
        env=author,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while "waiting" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    rest, told = process.communicate(timeout=60)
    assert "tidied up" in rest
    assert "Cancelled" in rest
    assert "Asking the bot to end" in told
    assert process.returncode == 130


@pytest.mark.skipif(sys.platform == "win32", reason="the signals are those of POSIX")
def test_second_ctrl_c_ends_a_bot_that_does_not_listen(author: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "stubborn.py").write_text(
        '# /// script\n# requires-python = ">=3.11"\n# ///\n'
        "import threading\nfrom controlroom import bot\n"
        "bot.cancelled()\n"
        'print("waiting", flush=True)\n'
        "threading.Event().wait(90)\n"
    )
    process = subprocess.Popen(
        [*COMMAND, "run", "stubborn.py"],
        env=author,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    while "waiting" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert "Asking the bot to end" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    rest, told = process.communicate(timeout=60)
    assert "at once" in told
    assert "stopped from the keyboard" in rest
    assert process.returncode == 130


def test_inputs_come_from_a_file_and_single_ones_win(author: dict[str, str], tmp_path: Path) -> None:
    begin_bot(tmp_path / "hello")
    (tmp_path / "inputs.json").write_text('{"greeted": "Grace", "times": 1}')
    done = bot(author, tmp_path, "run", "hello", "--inputs", "inputs.json", "-i", "greeted=Ada", "--json")
    assert json.loads(done.stdout)["outputs"] == {"greeting": "Hello, Ada!"}
