"""Signing in and out with a real server."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from cli.conftest import Command
from serving import RunningServer

PASSWORD = "a ladder of seven rungs"


@pytest.fixture(scope="module")
def ada(control_room: RunningServer) -> str:
    """A user with a password that the tests know."""
    add = [
        sys.executable,
        "-m",
        "controlroom.cli",
        "user",
        "add",
        "ada",
        "--role",
        "bot_author",
        "--password-stdin",
    ]
    subprocess.run(
        add, input=f"{PASSWORD}\n", env=control_room.environment(), text=True, check=True, capture_output=True, timeout=60
    )  # fmt: skip
    return "ada"


def test_login_keeps_a_key_and_logout_revokes_it(
    command: Command, control_room: RunningServer, ada: str, tmp_path: Path
) -> None:
    said = command(
        "login", control_room.url, "--name", ada, "--password-stdin", "--json", given=f"{PASSWORD}\n"
    )

    assert said.code == 0, said.err
    assert json.loads(said.out) == {
        "url": control_room.url, "name": ada, "profile": str(tmp_path / "profile.json"),
    }  # fmt: skip
    profile = json.loads((tmp_path / "profile.json").read_text(encoding="utf-8"))
    assert PASSWORD not in json.dumps(profile)
    assert command("bot", "list").code == 0

    assert command("logout").code == 0
    assert not (tmp_path / "profile.json").exists()
    headers = {"Authorization": f"Bearer {profile['api_key']}"}
    answer = httpx.get(f"{control_room.url}/api/v1/session", headers=headers, trust_env=False)
    assert answer.status_code == 401


def test_login_leaves_no_session_behind(
    command: Command, control_room: RunningServer, ada: str, tmp_path: Path
) -> None:
    command("login", control_room.url, "--name", ada, "--password-stdin", given=f"{PASSWORD}\n")

    key = json.loads((tmp_path / "profile.json").read_text(encoding="utf-8"))["api_key"]
    headers = {"Authorization": f"Bearer {key}"}
    sessions = httpx.get(f"{control_room.url}/api/v1/me/sessions", headers=headers, trust_env=False)
    assert sessions.status_code == 200
    assert sessions.json()["items"] == []


def test_wrong_password_is_not_allowed_and_keeps_nothing(
    command: Command, control_room: RunningServer, ada: str, tmp_path: Path
) -> None:
    said = command(
        "login", control_room.url, "--name", ada, "--password-stdin", given="wrong password here\n"
    )

    assert said.code == 4
    assert "wrong password here" not in said.out + said.err
    assert not (tmp_path / "profile.json").exists()


def test_key_that_does_not_count_is_not_kept(
    command: Command, control_room: RunningServer, tmp_path: Path
) -> None:
    said = command("login", control_room.url, "--key-stdin", given="crk_nonsense\n")

    assert said.code == 4
    assert not (tmp_path / "profile.json").exists()


def test_login_without_an_address_asks_for_one(command: Command) -> None:
    said = command("login")

    assert said.code == 2
    assert "controlroom login http://" in said.err


def test_logout_of_a_revoked_key_still_forgets_it(
    command: Command, control_room: RunningServer, tmp_path: Path
) -> None:
    (tmp_path / "profile.json").write_text(
        json.dumps({"url": control_room.url, "api_key": "crk_gone"}), encoding="utf-8"
    )
    (tmp_path / "profile.json").chmod(0o600)

    said = command("logout")

    assert said.code == 0
    assert "not valid any more" in said.out
    assert command("logout").out.startswith("Nobody is signed in")


def test_nobody_signed_in_has_an_exit_code_of_its_own(command: Command) -> None:
    said = command("bot", "list")

    assert said.code == 4
    assert "controlroom login" in said.err


def test_unreachable_control_room_has_an_exit_code_of_its_own(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTROLROOM_API_KEY", "crk_key")

    said = command("bot", "list", "--url", "http://127.0.0.1:1")

    assert said.code == 3
    assert said.err.count("\n") == 1
    assert "http://127.0.0.1:1" in said.err
