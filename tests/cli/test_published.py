"""Publishing bots and choosing between their versions, with a real server."""

import json
from pathlib import Path

import pytest

from cli.conftest import Command
from controlroom.creator.scaffold import begin_bot
from serving import RunningServer


@pytest.fixture
def greeter(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A new bot, named after the test."""
    folder = tmp_path / str(request.node.name).replace("_", "-")[:60]
    begin_bot(folder)
    return folder


def change(bot: Path, text: str) -> None:
    script = next(bot.glob("*.py"))
    script.write_text(script.read_text(encoding="utf-8").replace("Hello", text), encoding="utf-8")


def test_life_of_a_bots_versions(command: Command, signed_in: RunningServer, greeter: Path) -> None:
    name = greeter.name
    assert command("bot", "publish", str(greeter)).out == f"{name}: version 1 is published.\n"
    assert command("bot", "publish", str(greeter)).out == f"{name} had this content before, as version 1.\n"
    change(greeter, "Good day")
    said = command("bot", "publish", str(greeter), "--no-current", "-m", "Politer")
    assert said.out == f"{name}: version 2 is published; version 1 stays the current one.\n"

    said = command("bot", "versions", name)
    rows = [line.split() for line in said.out.splitlines()]
    assert rows[0][:2] == ["Version", "State"]
    assert (rows[1][0], rows[1][-1]) == ("2", "Politer")
    assert rows[2][:2] == ["1", "current"]

    said = command("bot", "compare", name, "1", "2")
    assert '-    greeting = f"Hello, {greeted}!"' in said.out
    assert '+    greeting = f"Good day, {greeted}!"' in said.out
    assert said.out.endswith("1 file differs, none is the same.\n")

    assert command("bot", "rollback", name, "2").out == f"{name}: version 2 is run from now on.\n"
    assert command("bot", "rollback", name).out == f"{name}: version 1 is run from now on.\n"
    assert command("bot", "retire", name, "1").code == 1
    assert command("bot", "retire", name, "2").out == f"Version 2 of {name} is retired.\n"
    assert command("bot", "rollback", name, "2").code == 1
    assert command("bot", "retire", name, "2", "--undo").out == f"Version 2 of {name} is in use.\n"


def test_lists_for_scripts_are_json(command: Command, signed_in: RunningServer, greeter: Path) -> None:
    published = json.loads(command("bot", "publish", str(greeter), "--folder", "/tools", "--json").out)
    assert published["created"] is True

    said = command("bot", "list", "folder:/tools", "--json")
    assert said.code == 0, said.err
    bots = json.loads(said.out)
    assert [bot["name"] for bot in bots] == [greeter.name]
    assert greeter.name in command("bot", "list").out
    versions = json.loads(command("bot", "versions", greeter.name, "--json").out)
    assert [version["number"] for version in versions] == [1]


def test_bot_with_a_fault_is_refused_before_it_is_sent(
    command: Command, signed_in: RunningServer, tmp_path: Path
) -> None:
    script = tmp_path / "broken.py"
    script.write_text("# /// script\n# dependencies = []\n# ///\nprint(\n", encoding="utf-8")

    said = command("bot", "publish", str(script))

    assert said.code == 2
    assert "broken.py, line 4" in said.err


def test_viewer_may_look_and_not_publish(
    command: Command, control_room: RunningServer, greeter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTROLROOM_URL", control_room.url)
    monkeypatch.setenv("CONTROLROOM_API_KEY", control_room.keys["viewer"])

    assert command("bot", "list").code == 0
    said = command("bot", "publish", str(greeter))

    assert said.code == 4
    assert "bot.publish" in said.err


@pytest.mark.parametrize("bot", ["no-such-bot", "../../session", "a?b", "ä/ö"])
def test_unknown_bot_is_named_whatever_it_looks_like(
    command: Command, signed_in: RunningServer, bot: str
) -> None:
    said = command("bot", "versions", bot)

    assert said.code == 1
    assert "no bot" in said.err.lower()


def test_rollback_of_the_first_version_says_that_there_is_none_before(
    command: Command, signed_in: RunningServer, greeter: Path
) -> None:
    command("bot", "publish", str(greeter))

    said = command("bot", "rollback", greeter.name)

    assert said.code == 1
    assert "no version before 1" in said.err
