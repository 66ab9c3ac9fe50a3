"""Unpacking takes files only, inside the folder only."""

import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.runner.execution.errors import PackageUnusable
from controlroom.runner.execution.unpack import unpack


def pack(path: Path, *entries: zipfile.ZipInfo | str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for entry in entries:
            archive.writestr(entry, "content")
    return path


def with_mode(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    return entry


def test_files_folders_and_programs_come_out(tmp_path: Path) -> None:
    package = pack(tmp_path / "p.zip", "deep/er/file.txt", with_mode("tool", stat.S_IFREG | 0o755))

    unpack(package, tmp_path / "out")

    assert (tmp_path / "out/deep/er/file.txt").read_text() == "content"
    assert (tmp_path / "out/tool").stat().st_mode & stat.S_IXUSR


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "a\\..\\evil", "C:evil"])
def test_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PackageUnusable, match="outside"):
        unpack(pack(tmp_path / "p.zip", name), tmp_path / "out")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_link_or_device_is_refused(tmp_path: Path, kind: int) -> None:
    with pytest.raises(PackageUnusable, match="link or a device"):
        unpack(pack(tmp_path / "p.zip", with_mode("x", kind | 0o777)), tmp_path / "out")


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        package = pack(tmp_path / "p.zip", "same", "same")

    with pytest.raises(PackageUnusable):
        unpack(package, tmp_path / "out")


@given(data=st.binary(max_size=300), cut=st.integers(0, 80))
def test_rubbish_is_refused_and_nothing_else_happens(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("rubbish")
    whole = pack(folder / "whole.zip", "a/file").read_bytes()
    (folder / "p.zip").write_bytes(whole[:cut] + data)

    with pytest.raises(PackageUnusable):
        unpack(folder / "p.zip", folder / "out")
