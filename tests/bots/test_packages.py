import io
import os
import zipfile
from pathlib import Path

import pytest

from bots.building import folder_of
from controlroom.bots.archive import PackageLimits, open_package
from controlroom.bots.errors import DeclarationInvalid, PackageRefused, PackageTooBig, UnsafeEntry
from controlroom.bots.packages import pack, source_files


def packed(source: Path, limits: PackageLimits | None = None) -> bytes:
    target = io.BytesIO()
    facts = pack(source, target, limits).facts
    assert facts.size_bytes == len(target.getvalue())
    return target.getvalue()


def test_the_same_content_makes_the_same_bytes(tmp_path: Path) -> None:
    texts: dict[str, str | bytes] = {
        "main.py": "print(1)\n",
        "lib/a.py": "A = 1\n",
        "data.bin": bytes(range(256)) * 300,
    }
    folder_of(tmp_path / "one", texts)
    folder_of(tmp_path / "two", dict(reversed(texts.items())))
    os.utime(tmp_path / "two" / "main.py", (1, 1))
    (tmp_path / "two" / "main.py").chmod(0o600)
    assert packed(tmp_path / "one") == packed(tmp_path / "two")
    (tmp_path / "two" / "main.py").write_text("print(2)\n")
    assert packed(tmp_path / "one") != packed(tmp_path / "two")


def test_a_packed_folder_passes_its_own_check(tmp_path: Path) -> None:
    folder_of(tmp_path / "bot", {"main.py": "print(1)\n", "data/ä.csv": "1\n"})
    path = tmp_path / "bot.zip"
    path.write_bytes(packed(tmp_path / "bot"))
    with open_package(path, PackageLimits()) as files:
        assert list(files.names()) == ["data/ä.csv", "main.py"]


def test_a_program_stays_a_program(tmp_path: Path) -> None:
    folder_of(tmp_path / "bot", {"main.py": "", "run.sh": "#!/bin/sh\n"})
    (tmp_path / "bot" / "run.sh").chmod(0o750)
    with zipfile.ZipFile(io.BytesIO(packed(tmp_path / "bot"))) as archive:
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
    assert modes == {"main.py": 0o644, "run.sh": 0o755}


def test_a_script_is_a_package_of_its_own(tmp_path: Path) -> None:
    folder_of(tmp_path, {"hello.py": "print(1)\n", "other.py": ""})
    files = source_files(tmp_path / "hello.py")
    assert list(files.names()) == ["hello.py"]
    assert files.suggested_name == "hello"
    with zipfile.ZipFile(io.BytesIO(packed(tmp_path / "hello.py"))) as archive:
        assert archive.namelist() == ["hello.py"]


def test_folders_of_tools_are_left_out_at_any_depth(tmp_path: Path) -> None:
    left_out = [
        ".git/config",
        ".venv/x",
        "lib/__pycache__/a.pyc",
        "web/node_modules/x/y.js",
        "output/log.html",
    ]
    folder_of(tmp_path, {"main.py": "", "lib/a.py": "", **dict.fromkeys(left_out, "x")})
    assert list(source_files(tmp_path).names()) == ["lib/a.py", "main.py"]


def test_gitignore_counts_with_its_negations(tmp_path: Path) -> None:
    folder_of(
        tmp_path,
        {".gitignore": "*.log\n!keep.log\n/secret/\n", "main.py": "", "a.log": "", "keep.log": "", "secret/x": "",
         "lib/secret/y": ""},
    )  # fmt: skip
    assert list(source_files(tmp_path).names()) == [".gitignore", "keep.log", "lib/secret/y", "main.py"]


def test_the_formats_own_rules_take_the_place_of_gitignore(tmp_path: Path) -> None:
    folder_of(
        tmp_path,
        {"robot.yaml": "tasks: {a: {shell: python x.py}}\nignoreFiles: [rules.txt]\n", "rules.txt": "*.tmp\n",
         ".gitignore": "*.py\n", "x.py": "", "a.tmp": ""},
    )  # fmt: skip
    assert list(source_files(tmp_path).names()) == [".gitignore", "robot.yaml", "rules.txt", "x.py"]


def test_exclude_and_controlroomignore_count_besides(tmp_path: Path) -> None:
    folder_of(
        tmp_path,
        {"controlroom.toml": "exclude = ['tests/']\n", ".controlroomignore": "*.md\n", "main.py": "", "R.md": "",
         "tests/t.py": ""},
    )  # fmt: skip
    assert list(source_files(tmp_path).names()) == [".controlroomignore", "controlroom.toml", "main.py"]


SCRIPT_BLOCK = (
    "# /// script\n# dependencies = []\n# [tool.controlroom]\n# exclude = ['tests/', '*.psd']\n# ///\n"
)
LEFT_OUT = {"tests/t.py": "", "logo.psd": "x", "deep/tests/u.py": ""}


@pytest.mark.parametrize(
    "declaring",
    [
        {"controlroom.toml": "exclude = ['tests/', '*.psd']\n", "main.py": ""},
        {"pyproject.toml": "[tool.controlroom]\nexclude = ['tests/', '*.psd']\n", "main.py": ""},
        {"pyproject.toml": "[project]\nname='a'\n[tool.controlroom]\nexclude=['tests/','*.psd']\n", "main.py": ""},
        {"bot.py": SCRIPT_BLOCK, "other.py": ""},
        {"pyproject.toml": "[tool.ruff]\nline-length = 9\n", "bot.py": SCRIPT_BLOCK},
    ],
    ids=["controlroom.toml", "pyproject", "project", "script", "script beside a tool's settings"],
)  # fmt: skip
def test_exclude_counts_wherever_it_is_declared(tmp_path: Path, declaring: dict[str, str]) -> None:
    folder_of(tmp_path, {**declaring, **LEFT_OUT})
    assert list(source_files(tmp_path).names()) == sorted(declaring)


def test_a_later_rule_takes_an_earlier_one_back(tmp_path: Path) -> None:
    folder_of(
        tmp_path,
        {".gitignore": "*.psd\n", "controlroom.toml": "exclude = ['!logo.psd', '*.md']\n",
         ".controlroomignore": "!R.md\n", "main.py": "", "a.psd": "", "logo.psd": "", "R.md": "", "S.md": ""},
    )  # fmt: skip
    assert {"logo.psd", "R.md"} < set(source_files(tmp_path).names())
    assert not {"a.psd", "S.md"} & set(source_files(tmp_path).names())


def test_a_script_that_is_left_out_declares_nothing(tmp_path: Path) -> None:
    folder_of(
        tmp_path,
        {".gitignore": "tool.py\n", "tool.py": SCRIPT_BLOCK, "bot.py": SCRIPT_BLOCK.replace("'tests/', ", ""),
         **LEFT_OUT},
    )  # fmt: skip
    assert list(source_files(tmp_path).names()) == [".gitignore", "bot.py", "deep/tests/u.py", "tests/t.py"]


def test_an_exclude_that_is_no_list_names_its_place(tmp_path: Path) -> None:
    folder_of(tmp_path, {"pyproject.toml": "[tool.controlroom]\nexclude = 'tests'\n", "main.py": ""})
    with pytest.raises(
        DeclarationInvalid, match=r"pyproject\.toml: tool\.controlroom\.exclude: must be a list"
    ):
        source_files(tmp_path)


def test_a_missing_ignore_file_is_said(tmp_path: Path) -> None:
    folder_of(tmp_path, {"robot.yaml": "tasks: {a: {shell: x}}\nignoreFiles: [gone.txt]\n"})
    with pytest.raises(DeclarationInvalid, match=r"robot\.yaml: ignoreFiles: names 'gone\.txt'"):
        source_files(tmp_path)


def test_a_link_is_refused_by_name_but_not_where_it_is_left_out(tmp_path: Path) -> None:
    folder_of(tmp_path, {"main.py": "", ".gitignore": "ignored\n"})
    (tmp_path / "ignored").symlink_to("/etc/passwd")
    assert list(source_files(tmp_path).names()) == [".gitignore", "main.py"]
    (tmp_path / "passwords").symlink_to("/etc/passwd")
    with pytest.raises(UnsafeEntry, match="passwords: is a link"):
        source_files(tmp_path)


def test_a_linked_folder_is_refused(tmp_path: Path) -> None:
    folder_of(tmp_path / "bot", {"main.py": ""})
    (tmp_path / "bot" / "etc").symlink_to("/etc")
    with pytest.raises(UnsafeEntry, match="etc: is a link"):
        source_files(tmp_path / "bot")


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    folder_of(tmp_path, {"main.py": ""})
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnsafeEntry, match="pipe: is neither"):
        source_files(tmp_path)


def test_limits_hold_when_packing(tmp_path: Path) -> None:
    folder_of(tmp_path, {"main.py": "x" * 100, "b.py": "y" * 100})
    for limits in (
        PackageLimits(entries=1),
        PackageLimits(unpacked_bytes=150),
        PackageLimits(packed_bytes=50),
    ):
        with pytest.raises(PackageTooBig):
            packed(tmp_path, limits)


def test_nothing_to_pack_is_said(tmp_path: Path) -> None:
    with pytest.raises(PackageRefused, match="nothing to pack"):
        packed(tmp_path)
    with pytest.raises(PackageRefused, match="no folder or file"):
        source_files(tmp_path / "gone")
