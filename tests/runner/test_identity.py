"""A runner's key is its own business, and so is its state folder."""

import stat
from pathlib import Path

import pytest

from controlroom.foundation.errors import Invalid, Unavailable
from controlroom.runner.identity import (
    AlreadyRunning,
    Identity,
    NotJoined,
    has_identity,
    hold_state_folder,
    is_held,
    load_identity,
    remove_identity,
    save_identity,
)

IDENTITY = Identity("https://x", "dev_1", "test", "crr_secret", labels=("a",))


def test_an_identity_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    save_identity(folder, IDENTITY)

    assert load_identity(folder) == IDENTITY
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "identity.json").stat().st_mode) == 0o600
    remove_identity(folder)
    assert not has_identity(folder)
    with pytest.raises(NotJoined, match="runner join"):
        load_identity(folder)


def test_a_damaged_identity_is_said_so_without_its_content(tmp_path: Path) -> None:
    save_identity(tmp_path, IDENTITY)
    (tmp_path / "identity.json").write_text('{"key": "crr_secret"')

    with pytest.raises(Invalid, match="is damaged") as raised:
        load_identity(tmp_path)
    assert "crr_secret" not in str(raised.value)


def test_one_runner_holds_a_state_folder(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    with hold_state_folder(tmp_path):
        assert is_held(tmp_path)
        with pytest.raises(AlreadyRunning, match="--state"), hold_state_folder(tmp_path):
            pass
    assert not is_held(tmp_path)


def test_a_state_folder_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(Unavailable, match="Choose another with --state"):
        save_identity(tmp_path / "file" / "state", IDENTITY)
