"""The SDK outside of a runner, as an author meets it, and the values it refuses."""

import io
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom import bot
from controlroom.bot._channel import checked_json
from controlroom.bot._inputs import Inputs

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def run(source: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONIOENCODING": "utf-8"} | variables,
    )


def test_outside_a_runner_readable_lines_go_to_standard_error() -> None:
    done = run(
        """
from controlroom import bot
bot.log.info("Invoice booked", number=4711, path=__import__("pathlib").Path("x"))
bot.output("total", 3)
bot.progress(0.25, "a quarter")
bot.progress(None, "no idea")
print("own", bot.cancelled(), dict(bot.inputs), bot.outputs, bot.run.inside_runner)
"""
    )

    assert done.returncode == 0
    assert done.stdout == "own False {} {'total': 3} False\n"
    assert done.stderr.splitlines() == [
        "info    Invoice booked number=4711 path='x'",
        "output  total = 3",
        " 25.0% a quarter",
        "  ...  no idea",
    ]


def test_artifact_outside_a_runner_copies_nothing(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("hello")

    done = run(f"from controlroom import bot; bot.artifact({str(tmp_path / 'report.txt')!r}, 'r.txt')")

    assert done.stderr.startswith("artifact r.txt: ")
    assert [path.name for path in tmp_path.iterdir()] == ["report.txt"]


def test_inputs_come_from_the_file_that_the_variable_names(tmp_path: Path) -> None:
    path = tmp_path / "inputs.json"
    path.write_text('{"amount": 3}')

    done = run(
        "from controlroom import bot; print(bot.inputs['amount'], len(bot.inputs)); bot.inputs['x']",
        CONTROLROOM_INPUTS=str(path),
    )

    assert done.stdout == "3 1\n"
    assert "This run has no input 'x'; given are: amount" in done.stderr


@pytest.mark.parametrize("content", ["[1]", "{", None])
def test_inputs_that_cannot_be_read_are_told(
    tmp_path: Path, content: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "inputs.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("CONTROLROOM_INPUTS", str(path))

    with pytest.raises(RuntimeError, match="inputs"):
        len(Inputs())


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, b"x", math.nan, math.inf, 2**64, [[-(2**63) - 1]], {"a": 2**70}, {("a",): 1}]
)
def test_output_that_is_not_json_is_a_type_error_that_names_it(value: Any) -> None:
    with pytest.raises(TypeError, match="output 'total'"):
        bot.output("total", value)


def test_value_that_holds_itself_is_a_type_error() -> None:
    endless: list[Any] = []
    endless.append(endless)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    for value in (endless, deep):
        with pytest.raises(TypeError, match="output 'x'"):
            bot.output("x", value)


def test_output_has_a_name_and_a_bounded_size() -> None:
    with pytest.raises(TypeError, match="name"):
        bot.output("", 1)
    with pytest.raises(ValueError, match="artifact"):
        bot.output("x", "y" * 300_000)
    with pytest.raises(TypeError, match="taken back"):
        del bot.outputs["x"]


@pytest.mark.parametrize("fraction", ["half", True, math.nan, 1j])
def test_progress_that_is_no_number_is_a_type_error(fraction: Any) -> None:
    with pytest.raises(TypeError, match="progress"):
        bot.progress(fraction)


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", "x" * 300])
def test_artifact_name_is_a_plain_file_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(ValueError, match="name"):
        bot.artifact(tmp_path / "f", name)
    with pytest.raises(FileNotFoundError):
        bot.artifact(tmp_path / "missing")


@given(JSON)
def test_json_values_pass_as_they_are(value: Any) -> None:
    assert checked_json("x", value) == json.loads(json.dumps(value))


@given(
    st.dictionaries(st.text(st.characters(categories=["Ll"]), min_size=1), JSON | st.binary() | st.floats())
)
@settings(max_examples=40)
def test_a_log_never_fails(fields: dict[str, Any]) -> None:
    fields.pop("text", None)
    fields.pop("self", None)
    bot.log.info("line \ud800", **fields)


def test_channel_of_someone_else_is_never_written_to(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    other = tmp_path / "file"
    with other.open("wb") as file:
        for address in (f"{file.fileno()}:1:1", f"{writer}:1:1", "9999:1:1", "rubbish", "1:2"):
            done = subprocess.run(
                [sys.executable, "-c", "from controlroom import bot; bot.log.info('x')"],
                pass_fds=(file.fileno(), writer),
                env={"CONTROLROOM_CHANNEL": address, "CONTROLROOM_ATTEMPT_ID": "att_1"},
                stderr=subprocess.PIPE,
                check=True,
            )
            assert done.stderr == b"info    x\n"
    os.close(writer)
    assert os.read(reader, 10) == b""
    os.close(reader)
    assert other.read_bytes() == b""


def test_runner_that_is_gone_is_not_noticed() -> None:
    reader, writer = os.pipe()
    facts = os.fstat(writer)
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", "from controlroom import bot\nfor i in range(3): bot.log.info('x')"],
        pass_fds=(writer,),
        env={
            "CONTROLROOM_CHANNEL": f"{writer}:{facts.st_dev}:{facts.st_ino}",
            "CONTROLROOM_ATTEMPT_ID": "att_1",
        },
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 0


def test_handler_that_the_bot_set_before_stands() -> None:
    source = f"""
import os, signal
signal.signal(signal.SIGTERM, lambda *_: print("own"))
from controlroom import bot
os.kill(os.getpid(), {int(signal.SIGTERM)})
"""
    assert run(source, CONTROLROOM_ATTEMPT_ID="att_1").stdout == "own\n"


def test_closed_standard_error_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (closed, None):
        monkeypatch.setattr(sys, "stderr", stream)
        bot.log.error("nobody hears")


def test_a_file_among_the_inputs_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given_inputs = tmp_path / "inputs.json"
    given_inputs.write_text(json.dumps({"paper": "/work/a.pdf", "more": ["/work/b.pdf"], "count": 3}))
    monkeypatch.setenv("CONTROLROOM_INPUTS", str(given_inputs))
    inputs = Inputs()
    assert inputs.path("paper") == Path("/work/a.pdf")
    assert inputs.paths("more") == [Path("/work/b.pdf")]
    assert inputs.paths("absent") == []
    for wrong in (lambda: inputs.path("count"), lambda: inputs.paths("count"), lambda: inputs.paths("paper")):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(bot.InputMissing):
        inputs.path("absent")
