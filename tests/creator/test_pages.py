"""Follows the pages for authors: writes the files that they show and runs every command, against a real Control Room.

A fenced block with a title is a file; one below a comment such as ``<!-- change FILE: > to >= -->`` is a line that
changes. In a console block ``$`` begins a command; each line below must be in what it prints, where ``…`` stands for
anything. A command ends with 0, unless ``$ echo $?`` follows and shows what else.
"""

import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from controlroom.cli.main import main
from serving import RunningServer, running_server

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("tutorial/first-bot.md", "how-to/write-a-bot.md", "how-to/publish-a-bot.md")
_FENCE = re.compile(
    r"^(?:<!-- change (?P<file>\S+): (?P<old>\S+) to (?P<new>\S+) -->\n)?"
    r"```(?P<kind>[\w-]+)?(?P<attributes>[^\n]*)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_TITLE = re.compile(r'title="([^"]*)"')


@dataclass(frozen=True)
class Step:
    """One command of a page and the lines that stand below it."""

    command: str
    expected: tuple[str, ...]


@dataclass(frozen=True)
class File:
    """One file that a page shows, or a line of it that changes from one operator to another."""

    path: str
    content: str
    replace: str = ""
    instead: str = ""


def parts_of(page: str) -> Iterator[Step | File]:
    """Give the files and commands of a page in their order."""
    for fence in _FENCE.finditer((DOCS / page).read_text(encoding="utf-8")):
        title = _TITLE.search(fence["attributes"])
        if fence["file"]:
            yield File(fence["file"], fence["body"], fence["old"], fence["new"])
        elif title:
            yield File(title[1], fence["body"])
        elif fence["kind"] == "console":
            yield from _steps(fence["body"])


def _steps(block: str) -> Iterator[Step]:
    command, expected = "", list[str]()
    for line in block.splitlines():
        if line.startswith("$ "):
            if command:
                yield Step(command, tuple(expected))
            command, expected = line.removeprefix("$ "), []
        else:
            expected.append(line)
    assert command, f"a console block without a command: {block}"
    yield Step(command, tuple(expected))


def write(folder: Path, file: File) -> None:
    path = folder / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if not file.replace:
        path.write_text(file.content, encoding="utf-8")
        return
    new = file.content.strip()
    old = new.replace(f" {file.instead} ", f" {file.replace} ")
    before = path.read_text(encoding="utf-8")
    assert before.count(old) == 1, f"{file.path} does not hold the line that the page changes: {old}"
    path.write_text(before.replace(old, new), encoding="utf-8")


def check(said: str, expected: tuple[str, ...]) -> None:
    """Find each expected line in what was said; in any order, since what happens at once is said either way."""
    left = [_squeezed(line).strip() for line in said.splitlines()]
    for line in expected:
        if line.strip() == "…":
            continue
        words = [re.escape(part.strip()) for part in _squeezed(line).split("…")]
        pattern = re.compile(r".*".join(words))
        found = next((one for one in left if pattern.fullmatch(one)), None)
        assert found is not None, f"{line!r} is not in what was printed:\n{said}"
        left.remove(found)


def _squeezed(line: str) -> str:
    return re.sub(r"\s+", " ", line)


@pytest.fixture(scope="module")
def control_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("control-room"), runners=1) as running:
        yield running


@dataclass
class Terminal:
    """Runs commands in this process, in a folder, and keeps the last exit code."""

    run: Callable[[Sequence[str]], tuple[int, str]]
    code: int = 0

    def type(self, step: Step, follows: object) -> None:
        """Run one command of a page and compare what it prints and how it ends."""
        if step.command == "echo $?":
            assert step.expected == (str(self.code),)
            return
        program, *words = shlex.split(step.command)
        assert program == "controlroom", f"pages for authors show no other commands: {step.command}"
        self.code, said = self.run(words)
        check(said, step.expected)
        if not (isinstance(follows, Step) and follows.command == "echo $?"):
            assert self.code == 0, f"{step.command} ended with {self.code}:\n{said}"


@pytest.fixture
def terminal(
    control_room: RunningServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Terminal:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONTROLROOM_URL", control_room.url)
    monkeypatch.setenv("CONTROLROOM_API_KEY", control_room.keys["administrator"])
    monkeypatch.setenv("CONTROLROOM_PROFILE", str(tmp_path / "profile.json"))
    monkeypatch.setenv("CONTROLROOM_RUNNER_STATE", str(control_room.folder / "author"))

    def run(words: Sequence[str]) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["controlroom", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    return Terminal(run)


@pytest.mark.parametrize("page", PAGES)
def test_page_can_be_followed(page: str, terminal: Terminal, tmp_path: Path) -> None:
    parts = list(parts_of(page))
    assert any(isinstance(part, Step) for part in parts)
    for place, part in enumerate(parts):
        if isinstance(part, File):
            write(tmp_path, part)
        else:
            terminal.type(part, parts[place + 1] if place + 1 < len(parts) else None)
