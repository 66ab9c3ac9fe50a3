"""The sign-in file: what is refused, and that nothing of its content is told."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).parents[3] / "examples" / "screenshot-report" / "sign_in.py"


@pytest.fixture
def sign_in(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("sign_in", SOURCE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "sign_in", module)
    spec.loader.exec_module(module)
    return module


def write(folder: Path, url: str = "http://127.0.0.1:1", mode: int = 0o600) -> Path:
    path = folder / "sign-in.toml"
    path.write_text(f'url = "{url}"\nname = "reporter"\npassword = "hush-hush"\n', encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("wanted", ["", "http://127.0.0.1:1/", "HTTP://127.0.0.1:1/activity"])
def test_file_gives_address_name_and_password(sign_in, tmp_path: Path, wanted: str) -> None:
    found = sign_in.read_sign_in(write(tmp_path), wanted)

    assert (found.url, found.name, found.password) == ("http://127.0.0.1:1", "reporter", "hush-hush")
    assert "hush-hush" not in repr(found)


@pytest.mark.parametrize(
    ("url", "wanted", "sentence"),
    [
        ("http://127.0.0.1:1", "http://127.0.0.1:2", "is not sent to http://127.0.0.1:2"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1@192.0.2.7", "is not sent to"),
        ("http://127.0.0.1:1", "http://127.0.0.1:99999", "is not sent to"),
        ("https://control.example", "http://control.example", "is not sent to"),
        ("http://192.0.2.7", "", "is not encrypted"),
        ("http://127.0.0.1.example", "", "is not encrypted"),
        ("ftp://192.0.2.7", "", "is no http or https address"),
    ],
)
def test_password_goes_nowhere_else(sign_in, tmp_path: Path, url: str, wanted: str, sentence: str) -> None:
    with pytest.raises(sign_in.SignInRefused, match=sentence) as caught:
        sign_in.read_sign_in(write(tmp_path, url), wanted)

    assert "hush-hush" not in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps access lists instead of modes")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_file_that_others_may_read_is_refused(sign_in, tmp_path: Path, mode: int) -> None:
    with pytest.raises(sign_in.SignInRefused, match="chmod 600"):
        sign_in.read_sign_in(write(tmp_path, mode=mode))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "There is no sign-in file"),
        ('url = "http://127.0.0.1:1"\nname = 3', "lacks name, password"),
        ("password = hush-hush", "is not TOML"),
    ],
)
def test_incomplete_file_says_what_it_holds(
    sign_in, tmp_path: Path, content: str | None, sentence: str
) -> None:
    path = tmp_path / "sign-in.toml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
        path.chmod(0o600)

    with pytest.raises(sign_in.SignInRefused, match=sentence) as caught:
        sign_in.read_sign_in(path)

    assert "hush-hush" not in str(caught.value)
