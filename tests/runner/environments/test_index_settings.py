"""Settings that a machine has for pip serve uv too, unless uv has its own."""

from pathlib import Path

from controlroom.runner.environments.index_settings import index_variables


def test_pip_files_and_variables_are_handed_on_the_variable_winning(tmp_path: Path) -> None:
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text(
        "[global]\nindex-url = https://one.example/simple\nextra-index-url =\n  https://two.example\n  https://three.example\n"
        "[install]\nfind-links = /wheels /more\n"
    )
    environment = {
        "HOME": str(tmp_path),
        "XDG_CONFIG_DIRS": str(tmp_path),
        "PIP_INDEX_URL": "https://four.example",
    }

    found = index_variables(environment)

    assert found["UV_DEFAULT_INDEX"] == "https://four.example"
    assert found["UV_INDEX"] == "https://two.example https://three.example"
    assert found["UV_FIND_LINKS"] == "/wheels,/more"
    assert found["UV_INDEX_STRATEGY"] == "unsafe-best-match"


def test_settings_of_uv_itself_stand_alone(tmp_path: Path) -> None:
    environment = {
        "HOME": str(tmp_path),
        "XDG_CONFIG_DIRS": str(tmp_path),
        "PIP_INDEX_URL": "https://pip.example",
    }
    assert index_variables(environment | {"UV_INDEX": "https://uv.example"}) == {}

    (tmp_path / ".config/uv").mkdir(parents=True)
    (tmp_path / ".config/uv/uv.toml").write_text("")
    assert index_variables(environment) == {}


def test_broken_pip_file_is_passed_over(tmp_path: Path) -> None:
    environment = {
        "HOME": str(tmp_path),
        "XDG_CONFIG_DIRS": str(tmp_path),
        "PIP_INDEX_URL": "https://one.example",
    }
    before = index_variables(environment)
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip/pip.conf").write_bytes(b"not = [ini\xff")

    assert index_variables(environment) == before
    assert before["UV_DEFAULT_INDEX"] == "https://one.example"
