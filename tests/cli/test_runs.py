"""Working with runs and saved filters from the command line, with a real server and a real runner."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.conftest import Command
from serving import RunningServer, running_server, script, wait_for

pytestmark = pytest.mark.timeout(180)

SOURCE = script(
    """
from controlroom import bot
print("begins")
print("amount is", bot.inputs["amount"])
if bot.inputs["amount"] > 100:
    raise ValueError("too much")
bot.output("doubled", bot.inputs["amount"] * 2)
""",
    name="doubler",
    inputs={"amount": {"type": "integer", "default": 1}},
)
LONG = script(
    "import time\nuntil = time.monotonic() + 2.5\nwhile time.monotonic() < until:\n    sum(range(1000))\n",
    name="busy",
)
NOWHERE = ("--label", "nobody-has-this")


@pytest.fixture(scope="module")
def control_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("runs")
    with running_server(folder, runners=1, roles=("administrator", "viewer")) as running:
        running.publish(SOURCE, "doubler")
        running.publish(LONG, "busy")
        yield running


def started(command: Command, *words: str, bot: str = "doubler", code: int = 0) -> str:
    said = command("run", "start", bot, *words)
    assert said.code == code, said.err
    return said.out.strip()


def ended(room: RunningServer, command: Command, amount: int) -> str:
    run = started(command, "-i", f"amount={amount}")
    room.wait_for_end(run)
    return run


def test_a_run_is_compared_with_the_last_success_and_with_one_that_is_named(
    command: Command, signed_in: RunningServer
) -> None:
    good, bad = ended(signed_in, command, 4), ended(signed_in, command, 400)

    said = command("run", "compare", bad)
    assert said.code == 0, said.err
    assert said.out.startswith(f"Before: {good}   after: {bad}")
    rows = [line.split() for line in said.out.splitlines()]
    assert ["state", "succeeded", "failed"] in rows
    assert ["input", "amount", "4", "400"] in rows
    assert "The logs part at line 2:\n- amount is 4\n+ amount is 400" in said.out

    named = json.loads(command("run", "compare", good, "--with", bad, "--json").out)
    assert (named["run"]["id"], named["other"]["id"]) == (good, bad)
    assert command("run", "compare", good, "--with", "run_none").code != 0


def test_a_bot_that_never_succeeded_has_nothing_to_compare_with(
    command: Command, signed_in: RunningServer
) -> None:
    waits = started(command, *NOWHERE, bot="busy")

    said = command("run", "compare", waits)

    assert said.code != 0
    assert "No other run of 'busy' has succeeded yet." in said.err
    assert command("run", "usage", waits).err.endswith("The run has not been attempted yet.\n")
    assert command("run", "many", "cancel", "bot:busy", "--yes").code == 0


def test_what_a_filter_finds_is_written_as_csv(
    command: Command, signed_in: RunningServer, tmp_path: Path
) -> None:
    run = ended(signed_in, command, 7)
    target = tmp_path / "found.csv"

    said = command("run", "export", "state:succeeded bot:doubler", "--to", str(target))

    assert (said.code, said.out) == (0, f"Written to {target}.\n")
    rows = list(csv.DictReader(target.read_text("utf-8").splitlines()))
    assert run in [row["id"] for row in rows]
    assert {row["state"] for row in rows} == {"succeeded"}


def test_a_filter_that_cannot_be_read_leaves_no_file(
    command: Command, signed_in: RunningServer, tmp_path: Path
) -> None:
    target = tmp_path / "found.csv"

    said = command("run", "export", "state:sleeping", "--to", str(target))

    assert said.code != 0
    assert "sleeping" in said.err
    assert list(tmp_path.glob("*csv*")) == []


def test_a_file_that_cannot_be_written_is_said_in_a_sentence(
    command: Command, signed_in: RunningServer, tmp_path: Path
) -> None:
    said = command("run", "export", "--to", str(tmp_path / "missing" / "found.csv"))

    assert said.code != 0
    assert "missing" in said.err
    assert "Traceback" not in said.err


def test_many_runs_are_cancelled_and_run_again_after_it_was_said(
    command: Command, signed_in: RunningServer
) -> None:
    waiting = [started(command, *NOWHERE) for _ in range(3)]
    filter = "state:queued bot:doubler"

    declined = command("run", "many", "cancel", filter, given="n\n")
    assert "Cancel 3 queued" in declined.out
    assert "done" not in declined.out

    done = command("run", "many", "cancel", filter, "--yes", "--reason", "not today")
    assert done.out.splitlines()[-1] == "3 done, 0 refused."
    for run in waiting:
        assert json.loads(command("run", "show", run, "--json").out)["state"] == "cancelled"

    nothing = command("run", "many", "cancel", filter, "--yes")
    assert nothing.code == 0
    assert "done" not in nothing.out

    again = command("run", "many", "repeat", "state:cancelled bot:doubler", "--yes")
    assert again.out.splitlines()[-1] == "3 done, 0 refused."
    assert command("run", "many", "cancel", filter, "--yes").code == 0
    assert command("run", "many", "pause", filter).code == 2


def test_use_over_time_is_printed(command: Command, signed_in: RunningServer) -> None:
    run = started(command, bot="busy")
    signed_in.wait_for_end(run)

    said = command("run", "usage", run)

    assert said.code == 0, said.err
    assert said.out.splitlines()[0].split() == ["Until", "Seconds", "Processors", "Memory,", "MB"]
    assert "processors and" in said.out
    usage = json.loads(command("run", "usage", run, "--json").out)
    assert usage["samples"][0]["processors"] > 0
    assert usage["peak_memory_bytes"] > 1_000_000


def test_filters_are_kept_listed_and_dropped(command: Command, signed_in: RunningServer) -> None:
    mine = command("filter", "save", "What failed", "state:failed")
    shared = command("filter", "save", "Long ones", "bot:busy", "--sort", "-created", "--shared")
    assert (mine.code, shared.code) == (0, 0), mine.err + shared.err

    found = {each["id"]: each for each in json.loads(command("filter", "list", "--json").out)}
    assert found[mine.out.strip()]["filter"] == "state:failed"
    assert found[shared.out.strip()]["shared"] is True
    assert "What failed" in command("filter", "list", "--of", "runs").out
    assert "What failed" not in command("filter", "list", "--of", "bots").out

    unread = command("filter", "save", "Typing error", "stat:failed")
    assert (unread.code, "stat" in unread.err) == (2, True)
    assert "Typing error" not in command("filter", "list").out

    twice = command("filter", "save", "What failed", "state:lost")
    assert twice.code != 0
    assert "What failed" in twice.err

    assert command("filter", "drop", mine.out.strip()).code == 0
    gone = command("filter", "drop", mine.out.strip())
    assert gone.code != 0
    assert mine.out.strip() in gone.err


def test_others_use_a_shared_filter_and_cannot_drop_it(
    command: Command, control_room: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTROLROOM_URL", control_room.url)
    monkeypatch.setenv("CONTROLROOM_API_KEY", control_room.keys["administrator"])
    shared = command("filter", "save", "For all", "state:lost", "--shared").out.strip()
    own = command("filter", "save", "For me", "state:lost").out.strip()

    monkeypatch.setenv("CONTROLROOM_API_KEY", control_room.keys["viewer"])

    seen = [each["id"] for each in json.loads(command("filter", "list", "--json").out)]
    assert shared in seen
    assert own not in seen
    assert command("filter", "drop", shared).code != 0
    assert command("filter", "drop", own).code != 0


def test_a_log_is_followed_to_its_end(command: Command, signed_in: RunningServer) -> None:
    said = command("run", "start", "doubler", "-i", "amount=5", "--wait")

    assert said.code == 0, said.err
    assert "amount is 5" in said.out
    run = json.loads(command("run", "list", "bot:doubler", "--limit", "1", "--json").out)[0]["id"]
    wait_for(lambda: "amount is 5" in command("run", "log", run).out, "the log is there", seconds=20)
