"""Settings: where each comes from, and what is said of one that cannot stand."""

from pathlib import Path

import pytest

from controlroom.foundation.errors import Invalid
from controlroom.foundation.settings import Settings, load_settings
from controlroom.network.catalogue import default_port


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "settings.toml"
    monkeypatch.setenv("CONTROLROOM_SETTINGS_FILE", str(path))
    monkeypatch.delenv("CONTROLROOM_DATABASE_URL", raising=False)
    return path


def test_the_caller_goes_before_the_environment_and_that_before_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings().port == default_port("control-room-web")
    file.write_text("port = 1001\nlease_seconds = 90\n")
    assert load_settings().port == 1001
    monkeypatch.setenv("CONTROLROOM_PORT", "1002")
    assert (load_settings().port, load_settings().lease_seconds) == (1002, 90)
    assert load_settings(port=1003, host=None).port == 1003


def test_each_setting_that_cannot_stand_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTROLROOM_PORT", "70000")
    monkeypatch.setenv("CONTROLROOM_LEASE_SECONDS", "-1")
    with pytest.raises(Invalid) as raised:
        load_settings()
    assert "CONTROLROOM_PORT: " in raised.value.detail
    assert "CONTROLROOM_LEASE_SECONDS: " in raised.value.detail
    assert {field.pointer for field in raised.value.fields} == {"/port", "/lease_seconds"}


def test_a_list_that_is_none_is_not_blamed_on_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTROLROOM_TRUSTED_PROXIES", "10.0.0.1")
    with pytest.raises(Invalid, match="trusted_proxies") as raised:
        load_settings()
    assert "settings file" not in raised.value.detail


def test_a_file_that_cannot_be_read_is_named(file: Path) -> None:
    file.write_text("port = = 1\n")
    with pytest.raises(Invalid, match=r"settings\.toml cannot be read"):
        load_settings()


@pytest.mark.parametrize(
    ("given", "effective"),
    [
        ("postgresql://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgresql+asyncpg://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("sqlite:////data/x.db", "sqlite+aiosqlite:////data/x.db"),
    ],
)
def test_a_database_address_names_its_driver(given: str, effective: str) -> None:
    assert load_settings(database_url=given).effective_database_url == effective


def test_without_an_address_the_database_lies_in_the_data_folder(tmp_path: Path) -> None:
    settings = load_settings(data_folder=tmp_path)
    assert settings.effective_database_url == f"sqlite+aiosqlite:///{tmp_path}/controlroom.db"


def test_a_database_of_another_kind_is_refused_without_its_password() -> None:
    with pytest.raises(Invalid, match=r"must start with sqlite:/// or postgresql://") as raised:
        load_settings(database_url="mysql://root:hidden-word@host/d")
    assert "hidden-word" not in raised.value.detail


def test_the_secret_key_is_not_shown() -> None:
    assert "hidden-word" not in repr(Settings(secret_key="hidden-word"))
