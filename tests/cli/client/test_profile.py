"""The profile: who may read it, and what is said where it cannot be used."""

import os
import stat
import sys
from pathlib import Path

import pytest

from controlroom.cli.client import Profile, connect, forget_profile, load_profile, profile_path, save_profile
from controlroom.foundation.errors import Invalid, Unauthenticated, Unavailable

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps access lists instead of modes")


@pytest.fixture(autouse=True)
def own_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the tests away from the profile of whoever runs them."""
    path = tmp_path / "config" / "profile.json"
    monkeypatch.setenv("CONTROLROOM_PROFILE", str(path))
    monkeypatch.delenv("CONTROLROOM_URL", raising=False)
    monkeypatch.delenv("CONTROLROOM_API_KEY", raising=False)
    return path


def test_what_is_saved_is_loaded_and_forgotten(own_profile: Path) -> None:
    assert load_profile() is None

    assert save_profile("http://127.0.0.1:8080/", "crk_secret") == own_profile
    assert load_profile() == Profile("http://127.0.0.1:8080", "crk_secret")

    assert forget_profile() is True
    assert forget_profile() is False
    assert load_profile() is None


@posix
def test_only_its_owner_can_read_it(own_profile: Path) -> None:
    own_profile.parent.mkdir(parents=True)
    own_profile.write_text("old", encoding="utf-8")
    own_profile.chmod(0o644)
    before = os.umask(0)
    try:
        save_profile("http://127.0.0.1:8080", "crk_secret")
    finally:
        os.umask(before)

    assert stat.S_IMODE(own_profile.stat().st_mode) == 0o600
    assert [path.name for path in own_profile.parent.iterdir()] == ["profile.json"]


@posix
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
def test_key_that_others_may_read_is_not_used(own_profile: Path, mode: int) -> None:
    save_profile("http://127.0.0.1:8080", "crk_secret")
    own_profile.chmod(mode)

    with pytest.raises(Invalid, match="chmod 600") as caught:
        load_profile()

    assert "crk_secret" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", '{"url": 1}', '{"url": "http://127.0.0.1"}'])
def test_damaged_profile_says_how_to_mend_it(own_profile: Path, content: str) -> None:
    own_profile.parent.mkdir(parents=True)
    own_profile.write_text(content, encoding="utf-8")
    own_profile.chmod(0o600)

    with pytest.raises(Invalid, match="controlroom login"):
        load_profile()


def test_folder_that_cannot_be_written_is_one_sentence(own_profile: Path) -> None:
    own_profile.parent.write_text("a file in the way", encoding="utf-8")

    with pytest.raises(Unavailable, match="CONTROLROOM_PROFILE"):
        save_profile("http://127.0.0.1:8080", "crk_secret")


def test_key_is_not_in_what_is_printed_of_a_profile() -> None:
    assert "crk_secret" not in repr(Profile("http://127.0.0.1", "crk_secret"))


def test_place_follows_the_systems_custom(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CONTROLROOM_PROFILE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("APPDATA", str(tmp_path))

    assert profile_path().parts[-2:] == ("controlroom", "profile.json")


def test_profile_gives_address_and_key() -> None:
    save_profile("http://127.0.0.1:8080", "crk_secret")

    with connect() as client:
        assert client.url == "http://127.0.0.1:8080"


def test_profiles_key_is_not_sent_to_another_address() -> None:
    save_profile("http://127.0.0.1:8080", "crk_secret")

    with pytest.raises(Unauthenticated, match=r"no API key for http://127\.0\.0\.1:8081"):
        connect("http://127.0.0.1:8081")


def test_environment_comes_before_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    save_profile("http://127.0.0.1:8080", "crk_secret")
    monkeypatch.setenv("CONTROLROOM_URL", "https://control.example/")
    monkeypatch.setenv("CONTROLROOM_API_KEY", "crk_other")

    with connect() as client:
        assert client.url == "https://control.example"
    with connect("http://127.0.0.1:9") as client:
        assert client.url == "http://127.0.0.1:9"


def test_nobody_known_says_what_to_do() -> None:
    with pytest.raises(Unauthenticated, match="controlroom login"):
        connect()
