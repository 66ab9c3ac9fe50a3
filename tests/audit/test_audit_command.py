"""`controlroom audit`, as it is typed, on both databases."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from audit.tampering import take_off_the_guard
from controlroom.audit.actor import SYSTEM
from controlroom.audit.models import AuditEntry
from controlroom.audit.service import record
from controlroom.cli.main import main
from controlroom.cli.output import EXIT_FAILED, EXIT_USAGE
from controlroom.foundation.database import Database, Transaction
from controlroom.server.schema import create_tables

KEY = "a key of thirty-two bytes or more"


@dataclass
class Said:
    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, database_url: str
) -> Command:
    """Runs `controlroom audit` with arguments."""
    monkeypatch.setenv("CONTROLROOM_DATA_FOLDER", str(tmp_path))
    monkeypatch.setenv("CONTROLROOM_SETTINGS_FILE", str(tmp_path / "none.toml"))
    monkeypatch.setenv("CONTROLROOM_DATABASE_URL", database_url)
    monkeypatch.setenv("CONTROLROOM_SECRET_KEY", KEY)

    def run(*arguments: str) -> Said:
        monkeypatch.setattr("sys.argv", ["controlroom", "audit", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def change(database_url: str) -> Callable[[Callable[[Transaction], Awaitable[None]]], None]:
    """Changes the database, as someone with a password for it could."""

    def apply(act: Callable[[Transaction], Awaitable[None]]) -> None:
        async def run() -> None:
            database = Database(database_url)
            await create_tables(database)
            await take_off_the_guard(database)
            async with database.write() as transaction:
                await act(transaction)
            await database.close()

        asyncio.run(run())

    return apply


async def five_entries(transaction: Transaction) -> None:
    for number in range(5):
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
        record(
            transaction, time=moment, actor=SYSTEM, action="thing.done", target_kind="thing", target_id=f"t{number}"
        )  # fmt: skip


async def change_the_third(transaction: Transaction) -> None:
    await transaction.session.execute(
        update(AuditEntry).where(AuditEntry.number == 3).values(actor_name="Mallory")
    )


async def cut_off_the_last(transaction: Transaction) -> None:
    await transaction.session.execute(delete(AuditEntry).where(AuditEntry.number >= 5))


def test_a_whole_log_is_said_to_be_whole_and_its_newest_entry_can_be_noted(command: Command, change) -> None:  # type: ignore[no-untyped-def]
    change(five_entries)
    assert command("seal").code == 0
    report = json.loads(command("verify", "--json").out)
    assert (report["is_whole"], report["entries"], report["sealed_number"], report["faults"]) == (
        True,
        6,
        5,
        [],
    )
    noted = f"{report['newest_number']}:{report['newest_hash']}"
    said = command("verify", "--noted", noted)
    assert (said.code, noted in said.out, "is whole" in said.out) == (0, True, True)
    change(cut_off_the_last)
    without_seal = command("verify", "--without-seal")
    assert (without_seal.code, "is whole" in without_seal.out) == (0, True)
    assert command("verify", "--without-seal", "--noted", noted).code == EXIT_FAILED
    sealed = command("verify")
    assert (sealed.code, "missing at the end" in sealed.out) == (EXIT_FAILED, True)
    assert command("seal").code == EXIT_FAILED


def test_a_changed_entry_is_named_and_the_exit_code_says_so(command: Command, change) -> None:  # type: ignore[no-untyped-def]
    change(five_entries)
    change(change_the_third)
    said = command("verify")
    assert (said.code, "entry 3: was changed" in said.out) == (EXIT_FAILED, True)
    answer = command("verify", "--json")
    assert answer.code == EXIT_FAILED
    assert [fault["number"] for fault in json.loads(answer.out)["faults"]] == [3]


def test_entries_are_listed_newest_first_and_filtered(command: Command, change) -> None:  # type: ignore[no-untyped-def]
    change(five_entries)
    listed = json.loads(command("list", "--json", "--limit", "2").out)
    assert [entry["number"] for entry in listed] == [5, 4]
    said = command("list", "--filter", "time>=2026-01-01T00:03:00Z action:thing.*")
    assert (said.code, "t4" in said.out, "t3" in said.out, "t2" in said.out) == (0, True, True, False)


def test_a_note_that_is_none_is_refused(command: Command) -> None:
    for noted in ("5", "0:" + "a" * 64, "5:abc", f"5:{'a' * 64}x"):
        said = command("verify", "--noted", noted)
        assert (said.code, "number and hash" in said.err) == (EXIT_USAGE, True)


def test_a_checkpoint_kept_elsewhere_holds_and_tells_when_the_log_no_longer_does(
    command: Command, change, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    change(five_entries)
    assert command("seal").code == 0
    file = tmp_path / "checkpoint.json"
    assert command("checkpoint", "--output", str(file)).code == 0
    assert command("checkpoint", "--output", str(file)).code == EXIT_USAGE
    key = command("key").out.strip()
    assert json.loads(file.read_text())["public_key"] == key
    assert json.loads(command("checkpoint").out)["public_key"] == key
    assert command("verify", "--checkpoint", str(file)).code == 0
    assert command("verify", "--checkpoint", str(file), "--public-key", "A" * 43 + "=").code == EXIT_FAILED
    change(cut_off_the_last)
    said = command("verify", "--checkpoint", str(file))
    assert (said.code, "the checkpoint names entry 6" in said.out) == (EXIT_FAILED, True)


def test_old_entries_are_exported_removed_and_proved_together_with_their_export(
    command: Command, change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    change(five_entries)
    assert command("seal").code == 0
    checkpoint, exported = tmp_path / "checkpoint.json", tmp_path / "old.jsonl"
    assert command("checkpoint", "--output", str(checkpoint)).code == 0
    whole = tmp_path / "whole.jsonl"
    assert command("export", "--filter", "action:thing.*", "--output", str(whole)).code == 0
    assert len(whole.read_text().splitlines()) == 5
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    unsaid = command("retain", "--older-than", "1d")
    assert (unsaid.code, "Remove 4 entries for good, number 1 to 4, from" in unsaid.err) == (
        EXIT_FAILED,
        True,
    )
    assert not exported.exists()
    said = command("retain", "--older-than", "1d", "--export-to", str(exported), "--yes")
    assert (said.code, "4 entries were removed: 1 to 4" in said.out) == (0, True)
    assert command("verify").code == 0
    assert command("verify", "--checkpoint", str(checkpoint)).code == 0
    together = command("verify", "--checkpoint", str(checkpoint), "--exported", str(exported), "--json")
    assert (together.code, json.loads(together.out)["removed"]) == (0, 4)
    exported.write_text(exported.read_text().replace("thing.done", "thing.undone", 1))
    assert command("verify", "--exported", str(exported)).code == EXIT_FAILED
    for age in ("5m", "0d", "year"):
        assert command("retain", "--older-than", age).code == EXIT_USAGE
