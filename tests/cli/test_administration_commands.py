"""Settings, health, what is installed and API keys, asked of a real server by the command."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from cli.conftest import Command
from conftest import SteeredClock
from controlroom.audit.actor import SYSTEM
from controlroom.devices.schemas import JoinTokenIn
from controlroom.foundation.settings import Settings
from controlroom.identity.service import local_caller
from controlroom.server.node import open_node
from serving import RunningServer, running_server


def test_a_setting_is_changed_refused_and_put_back(command: Command, signed_in: RunningServer) -> None:
    known = {each["name"]: each for each in json.loads(command("settings", "list", "--json").out)}
    assert known["session_idle_minutes"]["may_change"]
    at_start = known["session_idle_minutes"]["value"]
    assert "is now 95" in command("settings", "set", "session_idle_minutes", "95").out
    assert "changed by" in command("settings", "list").out
    refused = command("settings", "set", "session_idle_minutes", "1")
    assert (refused.code, "5 to 43,200 minutes" in refused.err) == (2, True)
    fixed = command("settings", "set", "port", "1")
    assert (fixed.code != 0, "when the server starts" in fixed.err) == (True, True)
    assert f"is now {at_start}." in command("settings", "reset", "session_idle_minutes").out


def test_a_setting_that_destroys_something_is_changed_only_after_a_yes(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = SteeredClock()
    past.moment = datetime.now(UTC) - timedelta(days=40)
    asyncio.run(_write_some_entries(Settings(data_folder=tmp_path / "data"), past))
    with running_server(tmp_path) as room:
        monkeypatch.setenv("CONTROLROOM_URL", room.url)
        monkeypatch.setenv("CONTROLROOM_API_KEY", room.keys["administrator"])

        with room.client() as client:
            before = client.get("/api/v1/settings/audit_retention_days").json()
            change = {"value": 30, "confirmed": False}
            revision = {"If-Match": f'"{before["revision"]}"'}
            refused = client.patch("/api/v1/settings/audit_retention_days", json=change, headers=revision)
        assert (refused.status_code, refused.json()["code"]) == (409, "not_confirmed")
        assert "go for good: number 1 to" in refused.json()["detail"]

        words = ("settings", "set", "audit_retention_days", "30")
        declined = command(*words, given="n\n")
        assert (declined.code, "go for good" in declined.err) == (1, True)
        assert _kept_days(command) == "0"
        assert "0 is now 30." in command(*words, given="y\n").out
        assert "30 is now 0." in command("settings", "reset", "audit_retention_days").out
        unasked = command(*words, "--yes")
        assert ("0 is now 30." in unasked.out, "go for good" in unasked.err) == (True, False)


async def _write_some_entries(settings: Settings, clock: SteeredClock) -> None:
    async with open_node(settings, clock) as node:
        for note in ("one", "another"):
            await node.joining.create_token(local_caller(SYSTEM), JoinTokenIn(note=note))


def _kept_days(command: Command) -> str:
    known = {each["name"]: each for each in json.loads(command("settings", "list", "--json").out)}
    return str(known["audit_retention_days"]["value"])


def test_health_says_each_component_and_a_monitor_hears_of_trouble(
    command: Command, signed_in: RunningServer
) -> None:
    found = command("health")
    assert found.code == 0
    for title in ("Database", "Disk space", "Backups", "Dispatcher", "Audit log"):
        assert title in found.out
    assert "controlroom database backup" in found.out
    assert command("health", "--check").code == 1  # no backup was made yet


def test_about_names_the_version_and_every_licence(command: Command, signed_in: RunningServer) -> None:
    assert "SQLite" in command("about").out
    parts = json.loads(command("about", "--parts", "--json").out)
    assert {"controlroom", "htmx.org"} <= {part["name"] for part in parts}


def test_a_programs_key_is_listed_and_revoked(command: Command, signed_in: RunningServer) -> None:
    with signed_in.client() as client:
        program = {"name": "deploy", "kind": "service", "roles": ["viewer"]}
        user_id = client.post("/api/v1/users", json=program).json()["user"]["id"]
        wanted = {
            "name": "pipeline",
            "permissions": ["run.read"],
            "expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
            "user_id": user_id,
        }
        made = client.post("/api/v1/api-keys", json=wanted).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    with httpx.Client(base_url=signed_in.url, headers=headers, timeout=30, trust_env=False) as deploy:
        assert deploy.get("/api/v1/runs").status_code == 200
        listed = command("api-key", "list", "--anyone", "--filter", "user:deploy").out
        assert made["key"]["id"] in listed
        assert "counts no more" in command("api-key", "revoke", made["key"]["id"]).out
        assert deploy.get("/api/v1/runs").status_code == 401
