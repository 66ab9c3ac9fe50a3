"""The command as a whole: what it imports, what it says of what it does not know, and its exit codes."""

import importlib
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import typer

from controlroom.cli.main import build_app, group_names, main
from controlroom.foundation.errors import (
    Conflict,
    ControlRoomError,
    Forbidden,
    Invalid,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
)


def controlroom(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONTROLROOM_")}
    return subprocess.run(
        [sys.executable, "-m", "controlroom.cli", *arguments],
        env={**kept, "COLUMNS": "200", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_names_every_group_and_imports_no_server() -> None:
    code = (
        "import sys; from controlroom.cli.main import build_app\n"
        "try: build_app(['--help'])(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'fastapi', 'uvicorn', 'httpx', 'alembic'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "HEAVY []" in answer.stdout
    assert all(f" {name} " in answer.stdout for name in group_names())
    assert "Exit codes: 0 done" in answer.stdout.replace("\n", " ")


def test_what_is_no_command_is_wrong_usage() -> None:
    answer = controlroom("dance")
    assert answer.returncode == 2
    assert "dance" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("kind", "code"),
    [(Invalid, 2), (TooLarge, 2), (Unavailable, 3), (Unauthenticated, 4), (Forbidden, 4), (Conflict, 1), (NotFound, 1)],
)  # fmt: skip
def test_each_kind_of_error_has_its_exit_code(
    kind: type[ControlRoomError],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_arguments: list[str]) -> object:
        def run() -> None:
            raise kind("What [happened].")

        return run

    monkeypatch.setattr(importlib.import_module("controlroom.cli.main"), "build_app", fail)
    with pytest.raises(SystemExit) as raised:
        main()
    assert raised.value.code == code
    assert "What [happened]." in capsys.readouterr().err


def test_every_group_can_be_imported_and_says_what_it_is_for() -> None:
    for name in group_names():
        app = build_app([name])
        group = next(each for each in app.registered_groups if each.name == name)
        assert group.typer_instance is not None
        assert group.typer_instance.info.help, name


def test_a_setting_that_cannot_stand_is_one_sentence() -> None:
    answer = controlroom("settings", "check", CONTROLROOM_PORT="99999")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "CONTROLROOM_PORT" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_settings_are_shown_with_their_source_and_without_secrets() -> None:
    shown = controlroom(
        "settings",
        "show",
        "--json",
        CONTROLROOM_SECRET_KEY="hidden-word",
        CONTROLROOM_PORT="1234",
        CONTROLROOM_DATABASE_URL="postgresql://u:hidden-word@h/d",
    )
    assert shown.returncode == 0
    assert "hidden-word" not in shown.stdout
    assert '"source": "CONTROLROOM_PORT"' in shown.stdout


def test_a_live_database_is_backed_up_whole_under_writes(tmp_path: Path) -> None:
    folder = {"CONTROLROOM_DATA_FOLDER": str(tmp_path / "data")}
    assert controlroom("database", "upgrade", **folder).returncode == 0
    assert '"is_newest": true' in controlroom("database", "status", "--json", **folder).stdout
    live, stop = tmp_path / "data" / "controlroom.db", threading.Event()

    def write() -> None:
        with sqlite3.connect(live, timeout=30) as connection:
            connection.execute("CREATE TABLE pairs (a INTEGER, b INTEGER)")
            number = 0
            while not stop.is_set():
                number += 1
                connection.execute("INSERT INTO pairs VALUES (?, ?)", (number, number))
                connection.execute("INSERT INTO pairs VALUES (?, ?)", (-number, -number))
                connection.commit()
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        answer = controlroom("database", "backup", str(tmp_path / "copy.db"), **folder)
    finally:
        stop.set()
        writer.join()
    assert answer.returncode == 0, answer.stderr
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        assert copy.execute("SELECT coalesce(sum(a), 0) FROM pairs").fetchone() == (0,)
        assert copy.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    copy.close()
    again = controlroom("database", "backup", str(tmp_path / "copy.db"), **folder)
    assert (again.returncode, "name a new file" in again.stderr) == (1, True)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["copy.db"]


def test_without_a_database_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    answer = controlroom(
        "database", "backup", str(tmp_path / "copy.db"), CONTROLROOM_DATA_FOLDER=str(tmp_path)
    )
    assert (answer.returncode, "no database" in answer.stderr) == (3, True)


def test_a_server_that_is_not_there_is_unreachable() -> None:
    answer = controlroom("server", "health", "--url", "http://127.0.0.1:1")
    assert (answer.returncode, "Traceback" in answer.stderr) == (3, False)


def test_each_name_in_the_help_is_a_group_of_commands() -> None:
    for name in group_names():
        module = importlib.import_module(f"controlroom.cli.{name.replace('-', '_')}")
        assert isinstance(module.app, typer.Typer), f"{name} is no group; name it in _NOT_GROUPS"
