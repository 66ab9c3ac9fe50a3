"""The examples: each stands, and what is shown as rendered is what the commands write."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controlroom.cli.network import app
from controlroom.network.policy import derive_policy
from controlroom.network.site import read_site

from .conftest import EXAMPLES


def commands(page: Path) -> list[list[str]]:
    """Return the network commands that a page shows, without the program's name."""
    lines = re.findall(r"^controlroom network .*$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [shlex.split(line)[2:] for line in lines]


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_rendered_folder_is_what_the_commands_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for site in EXAMPLES.glob("*.toml"):
        shutil.copy(site, tmp_path)
    (tmp_path / "rendered/five-nodes").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    for arguments in commands(EXAMPLES / "README.md"):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output

    assert contents(tmp_path / "rendered") == contents(EXAMPLES / "rendered")


def test_example_stands_without_a_note(example: Path) -> None:
    policy = derive_policy(read_site(example))

    assert policy.permits
    assert policy.notes == ()


def test_thousand_runners_are_a_thousand_in_twenty_zones() -> None:
    site = read_site(EXAMPLES / "thousand-runners.toml")
    runners = [host for host in site.hosts if "bot-runner" in host.roles]

    assert len(runners) == 1000
    assert len({host.zone for host in runners}) == 20


DOCS = Path(__file__).resolve().parents[2] / "docs" / "network"


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_commands_in_the_pages_give_the_output_that_the_pages_show(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for site in EXAMPLES.glob("*.toml"):
        shutil.copy(site, tmp_path)
    monkeypatch.chdir(tmp_path)

    for block in re.findall(r"```console\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL):
        for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            assert run(command) == shown, command


def run(command: str) -> str:
    """Run a shown command: one of ours, or one of the few by which the pages make and damage files."""
    words = shlex.split(command)
    if words[:2] == ["controlroom", "network"]:
        return CliRunner().invoke(app, words[2:], env={"COLUMNS": "100", "TERM": "dumb"}).output
    if words[0] == "cp":
        shutil.copy(words[1], words[2])
    elif words[0] == "printf":
        _, text, way, path = words
        with Path(path).open("a" if way == ">>" else "w", encoding="utf-8") as file:
            file.write(text.replace("\\n", "\n"))
    else:
        assert words[0] == "sed"
        _, in_place, script, path = words
        assert in_place == "-i"
        _, old, new, _ = script.split("#")
        Path(path).write_text(Path(path).read_text().replace(old, new, 1))
    return ""
