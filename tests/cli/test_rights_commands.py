"""Roles, sessions, service accounts and second factors from the server's own command line."""

import asyncio
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from controlroom.cli.main import main
from controlroom.foundation.database import Database
from controlroom.server.schema import create_tables


@dataclass
class Said:
    returncode: int
    stdout: str
    stderr: str


class Shell:
    """Runs the command against one data folder, as an administrator on the server's machine does."""

    def __init__(self, run: Callable[..., Said]) -> None:
        self.run = run

    def ok(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *arguments: str) -> object:
        return json.loads(self.ok(*arguments, "--json"))


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.setenv("CONTROLROOM_DATA_FOLDER", str(tmp_path))
    monkeypatch.setenv("CONTROLROOM_SETTINGS_FILE", str(tmp_path / "none.toml"))

    async def prepare() -> None:
        database = Database(f"sqlite+aiosqlite:///{tmp_path}/controlroom.db")
        await create_tables(database)
        await database.close()

    asyncio.run(prepare())

    def run(*arguments: str) -> Said:
        monkeypatch.setattr("sys.argv", ["controlroom", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    made = Shell(run)
    monkeypatch.setattr("sys.stdin", io.StringIO("lamps over quiet rivers\n"))
    made.ok("user", "add", "alice", "--role", "viewer", "--password-stdin")
    return made


def test_a_role_is_made_given_at_a_folder_explained_and_taken(shell: Shell) -> None:
    shell.ok(
        "role",
        "add",
        "night-shift",
        "--right",
        "run.read",
        "--right",
        "run.control",
        "--description",
        "At night.",
    )
    assert "Cancel, pause and resume anyone's runs." in shell.ok("role", "show", "night-shift")
    assert "/finance" in shell.ok("role", "give", "night-shift", "alice", "/finance", "--folder")
    may = shell.run("user", "why", "alice", "run.control", "/finance/monthly", "--folder")
    assert (may.returncode, "the role night-shift, given at /finance" in may.stdout) == (0, True)
    may_not = shell.run("user", "why", "alice", "run.control", "/sales", "--folder")
    assert (may_not.returncode, "may not" in may_not.stdout) == (1, True)
    shell.ok("role", "take", "night-shift", "alice", "/finance", "--folder")
    assert shell.json("role", "given") == []
    edited = shell.json("role", "edit", "night-shift", "--right", "run.read", "--second-factor")
    assert isinstance(edited, dict)
    assert (edited["permissions"], edited["requires_second_factor"]) == (["run.read"], True)
    shell.ok("role", "remove", "night-shift")
    unknown = shell.run("user", "why", "alice", "run.fly")
    assert (unknown.returncode, "There is no right 'run.fly'" in unknown.stderr) == (2, True)


def test_a_service_account_gets_a_key_and_rotates_it(shell: Shell) -> None:
    shell.ok("service-account", "add", "ci", "--role", "bot_author")
    made = shell.json("service-account", "add-key", "ci", "--right", "bot.publish")
    assert isinstance(made, dict)
    assert re.fullmatch(r"crk_[\w-]{43}", made["secret"])
    rotated = shell.json("service-account", "rotate-key", made["id"], "--overlap-hours", "1")
    assert isinstance(rotated, dict)
    assert rotated["rotated_from_id"] == made["id"]
    shell.ok("service-account", "revoke-key", made["id"])
    keys = shell.json("service-account", "keys", "ci")
    assert isinstance(keys, list)
    assert {key["id"]: key["state"] for key in keys} == {made["id"]: "revoked", rotated["id"]: "counts"}
    assert "bot.publish" in shell.ok("service-account", "keys", "ci")


def test_sessions_and_second_factors_are_reset_from_the_console(shell: Shell) -> None:
    assert shell.json("session", "list") == []
    assert "0 sessions ended" in shell.ok("session", "end", "--user", "alice")
    assert shell.run("session", "end").returncode == 2
    assert "0 removed" in shell.ok("user", "reset-second-factor", "alice")
