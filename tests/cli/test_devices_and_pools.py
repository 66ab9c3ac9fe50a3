"""Devices and pools from the command line, with a real server and real runners."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.conftest import Command
from serving import RunningServer, running_server

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def control_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(
        tmp_path_factory.mktemp("devices"), runners=2, roles=("administrator", "viewer")
    ) as running:
        yield running


def answer(command: Command, *words: str) -> object:
    said = command(*words, "--json")
    assert said.code == 0, said.err
    return json.loads(said.out)


def modes(command: Command) -> dict[str, str]:
    found = answer(command, "device", "list")
    assert isinstance(found, list)
    return {each["name"]: each["mode"] for each in found}


def members(command: Command, pool: str) -> list[str]:
    said = command("pool", "show", pool)
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("Device "))
    return [line.split()[0] for line in lines[begin + 1 :]]


def test_devices_are_drained_disabled_and_put_back_into_use(
    command: Command, signed_in: RunningServer
) -> None:
    said = command("device", "drain", "runner-0", "runner-1")
    assert (said.code, said.out.split()) == (0, ["runner-0", "draining", "runner-1", "draining"])
    assert command("device", "disable", "runner-1").code == 0
    assert modes(command) == {"runner-0": "draining", "runner-1": "disabled"}
    refused = command("device", "enable", "runner-0", "nobody", "runner-1")
    assert (refused.code, "no device 'nobody'" in refused.err) == (1, True)
    assert modes(command) == {"runner-0": "active", "runner-1": "active"}


def test_many_devices_are_drained_after_it_was_said_what_will_happen(
    command: Command, signed_in: RunningServer
) -> None:
    said = command("device", "many", "drain", "runner", given="n\n")
    assert (said.code, "Drain 2 devices" in said.out) == (0, True)
    assert set(modes(command).values()) == {"active"}
    assert "2 done, 0 refused" in command("device", "many", "drain", "runner", "--yes").out
    assert set(modes(command).values()) == {"draining"}
    nothing = command("device", "many", "drain", "runner", "--yes")
    assert "Nothing to drain; 2 are draining already and stay." in nothing.out
    assert command("device", "many", "enable", "mode:draining", "--yes").code == 0
    assert set(modes(command).values()) == {"active"}
    assert command("device", "many", "paint", "").code == 2


def test_a_device_is_renamed_labelled_and_resized(command: Command, signed_in: RunningServer) -> None:
    assert command("device", "rename", "runner-1", "press").code == 0
    assert command("device", "labels", "press", "--add", "excel", "--add", "browser").code == 0
    assert command("device", "labels", "press", "--remove", "browser").out.split() == ["excel"]
    assert answer(command, "device", "labels", "press", "--set", "sap") == ["sap"]
    assert command("device", "labels", "press", "--set", "a", "--add", "b").code == 2
    assert command("device", "slots", "press", "7").code == 0
    shown = answer(command, "device", "show", "press")
    assert isinstance(shown, dict)
    assert (shown["labels"], shown["slots"]) == (["sap"], 7)
    assert [each["is_connected"] for each in shown["presence"]] == [True]
    assert "came online" in command("device", "show", "press").out
    assert command("device", "rename", "press", "runner-0").code == 1
    assert command("device", "rename", "press", "runner-1").code == 0


def test_pools_are_made_edited_filled_and_deleted(
    command: Command, signed_in: RunningServer, tmp_path: Path
) -> None:
    made = answer(
        command, "pool", "create", "night", "--share", "round_robin", "--device", "runner-1", "--description", "At night"
    )  # fmt: skip
    assert isinstance(made, dict)
    assert (made["share"], made["device_order"], len(made["device_ids"])) == ("round_robin", "spread", 1)
    assert command("pool", "create", "night").code == 1
    assert command("pool", "add", "night", "runner-0", "runner-1").code == 0
    assert members(command, "night") == ["runner-1", "runner-0"]
    edited = answer(command, "pool", "edit", "night", "--order", "listed", "--name", "late")
    assert isinstance(edited, dict)
    assert (edited["name"], edited["device_order"], edited["share"], edited["description"]) == (
        "late",
        "listed",
        "round_robin",
        "At night",
    )
    assert members(command, "late") == ["runner-1", "runner-0"]
    assert command("pool", "edit", "late").code == 2
    file = tmp_path / "pools.csv"
    assert command("pool", "export", "--to", str(file)).code == 0
    rows = list(csv.DictReader(file.open(encoding="utf-8-sig")))
    assert [(row["name"], row["devices"]) for row in rows] == [("late", "2")]
    assert command("pool", "remove", "late", "runner-1").code == 0
    again = command("pool", "remove", "late", "runner-1")
    assert (again.code, "is not in the pool 'late'" in again.err) == (1, True)
    assert "late" in command("pool", "list").out
    assert command("pool", "delete", "late", given="n\n").code == 1
    assert command("pool", "delete", "late", "--yes").code == 0
    assert answer(command, "pool", "list") == []


def test_join_tokens_are_made_listed_and_revoked(command: Command, signed_in: RunningServer) -> None:
    made = answer(command, "device", "join-token", "--note", "for the press", "--label", "excel")
    assert isinstance(made, dict)
    said = command("device", "join-token")
    assert (said.code, "--token -" in said.err) == (0, True)
    listed = command("device", "join-tokens").out
    assert "for the press" in listed
    assert made["token"] not in listed
    assert command("device", "revoke-join-token", made["id"]).code == 0
    tokens = answer(command, "device", "join-tokens")
    assert isinstance(tokens, list)
    assert next(each for each in tokens if each["id"] == made["id"])["revoked_at"]


def test_who_may_not_is_refused(command: Command, control_room: RunningServer) -> None:
    given = control_room.keys["viewer"] + "\n"
    assert command("login", control_room.url, "--key-stdin", given=given).code == 0
    assert command("device", "drain", "runner-0").code == 4
    assert command("device", "many", "drain", "", "--yes").code == 4
    assert command("pool", "create", "mine").code == 4


def test_a_revoked_device_stays_so(command: Command, signed_in: RunningServer, tmp_path: Path) -> None:
    assert command("device", "revoke", "runner-1", given="n\n").code == 1
    assert command("device", "revoke", "runner-1", "--yes").code == 0
    refused = command("device", "enable", "runner-1")
    assert (refused.code, "join anew" in refused.err) == (1, True)
    file = tmp_path / "devices.csv"
    assert command("device", "export", "mode:revoked", "--to", str(file)).code == 0
    assert [row["name"] for row in csv.DictReader(file.open(encoding="utf-8-sig"))] == ["runner-1"]
