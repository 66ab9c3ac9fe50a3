"""`controlroom user`, as it is typed, on both databases."""

import asyncio
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from controlroom.audit.models import AuditEntry
from controlroom.cli.main import main
from controlroom.cli.output import EXIT_FAILED, EXIT_UNREACHABLE, EXIT_USAGE
from controlroom.foundation.database import Database
from controlroom.server.schema import create_tables

PASSWORD = "lamps over quiet rivers"


@dataclass
class Said:
    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Runs `controlroom` with arguments, and with a line on standard input."""
    monkeypatch.setenv("CONTROLROOM_DATA_FOLDER", str(tmp_path))
    monkeypatch.setenv("CONTROLROOM_SETTINGS_FILE", str(tmp_path / "none.toml"))

    def run(*arguments: str, stdin: str = "") -> Said:
        monkeypatch.setattr("sys.argv", ["controlroom", *arguments])
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with tables, named to the command by its setting."""
    monkeypatch.setenv("CONTROLROOM_DATABASE_URL", database_url)

    async def make() -> None:
        database = Database(database_url)
        await create_tables(database)
        await database.close()

    asyncio.run(make())
    return database_url


def entries(url: str) -> list[tuple[str, str, str]]:
    async def read() -> list[tuple[str, str, str]]:
        database = Database(url)
        async with database.read() as session:
            query = select(AuditEntry).order_by(AuditEntry.number)
            rows = (await session.scalars(query)).all()
        await database.close()
        return [(row.actor_kind, row.action, row.target_name) for row in rows]

    return asyncio.run(read())


def test_a_user_from_adding_to_disabling(command: Command, url: str) -> None:
    added = command("user", "add", "Alice", "--role", "operator", "--role", "viewer", "--json")
    assert (added.code, added.err) == (0, "")
    generated = json.loads(added.out)["generated_password"]
    assert len(generated) >= 20
    assert "root" in command("user", "add", "root", "--role", "administrator").out

    listed = command("user", "list", "--json")
    assert [(user["name"], user["roles"]) for user in json.loads(listed.out)] == [
        ("alice", ["operator", "viewer"]),
        ("root", ["administrator"]),
    ]
    assert generated not in listed.out

    reset = command("user", "reset-password", "alice", "--password-stdin", "--json", stdin=f"{PASSWORD}\n")
    assert (reset.code, PASSWORD in reset.out, "generated_password" in reset.out) == (0, False, False)
    assert command("user", "disable", "alice").code == 0
    names = [
        user["name"]
        for user in json.loads(command("user", "list", "--filter", "state:enabled", "--json").out)
    ]
    assert names == ["root"]
    assert "enabled" in command("user", "enable", "alice").out
    assert entries(url) == [
        ("system", "user.created", "alice"),
        ("system", "user.created", "root"),
        ("system", "user.password_reset", "alice"),
        ("system", "user.disabled", "alice"),
        ("system", "user.enabled", "alice"),
    ]


def test_a_made_up_password_is_printed_once_for_people_too(command: Command, url: str) -> None:
    said = command("user", "add", "alice", "--role", "viewer", "--display-name", "[/red] Alice")
    assert "not shown again" in said.out
    assert "[/red] Alice" in command("user", "list").out


def test_what_cannot_be_done_is_said_with_an_exit_code(command: Command, url: str) -> None:
    assert command("user", "add", "root", "--role", "administrator").code == 0
    for arguments, stdin, code, said in (
        (("user", "add", "root", "--role", "viewer"), "", EXIT_FAILED, "already"),
        (("user", "add", "al ice", "--role", "viewer"), "", EXIT_USAGE, "a to z"),
        (("user", "add", "alice", "--role", "king"), "", EXIT_USAGE, "administrator"),
        (("user", "add", "alice"), "", EXIT_USAGE, "--role"),
        (("user", "add", "alice", "--role", "viewer", "--password-stdin"), "short\n", EXIT_USAGE, "12"),
        (("user", "add", "alice", "--role", "viewer", "--password-stdin"), "", EXIT_USAGE, "standard input"),
        (("user", "disable", "nobody"), "", EXIT_FAILED, "nobody"),
        (("user", "disable", "root"), "", EXIT_FAILED, "last"),
        (("user", "list", "--filter", "x:1"), "", EXIT_USAGE, "x"),
    ):
        answer = command(*arguments, stdin=stdin)
        assert (answer.code, said in answer.err) == (code, True), (arguments, answer)


def test_where_there_is_no_database_yet_none_is_made(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer = command("user", "list")
    assert (answer.code, "start the server once" in answer.err) == (EXIT_UNREACHABLE, True)
    assert not list(tmp_path.glob("*.db"))
    monkeypatch.setenv("CONTROLROOM_DATABASE_URL", "postgresql://nobody:secret-word@127.0.0.1:1/none")
    answer = command("user", "list")
    assert (answer.code, "secret-word" in answer.err) == (EXIT_UNREACHABLE, False)


def test_an_empty_database_is_told_apart_from_a_broken_one(
    command: Command, monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path
) -> None:
    if database_url.startswith("sqlite"):
        (tmp_path / "test.db").touch()
    monkeypatch.setenv("CONTROLROOM_DATABASE_URL", database_url)
    answer = command("user", "list")
    assert (answer.code, "no tables yet" in answer.err) == (EXIT_UNREACHABLE, True)
