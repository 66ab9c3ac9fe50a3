"""Runs commands in this process, as `controlroom` itself does, and against a real server where one is needed."""

import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controlroom.cli.main import main
from serving import RunningServer, running_server


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Run one command line; its profile is the test's own."""
    monkeypatch.setenv("CONTROLROOM_PROFILE", str(tmp_path / "profile.json"))
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("CONTROLROOM_URL", "CONTROLROOM_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str, given: str = "") -> Said:
        monkeypatch.setattr(sys, "argv", ["controlroom", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        return Said(code if isinstance(code, int) else 0 if code is None else 1, said.out, said.err)

    return run


@pytest.fixture(scope="module")
def control_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A real server, one for each file of tests."""
    with running_server(
        tmp_path_factory.mktemp("control-room"), roles=("administrator", "viewer")
    ) as running:
        yield running


@pytest.fixture
def signed_in(command: Command, control_room: RunningServer) -> RunningServer:
    """The same server, with the profile of an administrator."""
    said = command("login", control_room.url, "--key-stdin", given=control_room.keys["administrator"] + "\n")
    assert said.code == 0, said.err
    return control_room
