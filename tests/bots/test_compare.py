from pathlib import Path

import pytest

from bots.building import folder_of, zip_of
from controlroom.bots.archive import PackageLimits, open_package
from controlroom.bots.compare import ChangeKind, compare_packages


def test_added_removed_and_changed_files_are_told_apart(tmp_path: Path) -> None:
    before = folder_of(
        tmp_path / "1", {"same.py": "x\n", "old.py": "o\n", "main.py": "a\nb\nc\n", "data.bin": b"\0\1"}
    )
    after = folder_of(
        tmp_path / "2", {"same.py": "x\n", "new.py": "n\n", "main.py": "a\nB\nc\n", "data.bin": b"\0\2"}
    )
    comparison = compare_packages(before, after)
    found = {change.path: change for change in comparison.changes}
    assert comparison.same_files == 1
    assert {path: change.kind for path, change in found.items()} == {
        "data.bin": ChangeKind.CHANGED,
        "main.py": ChangeKind.CHANGED,
        "new.py": ChangeKind.ADDED,
        "old.py": ChangeKind.REMOVED,
    }
    assert found["main.py"].diff == "--- a/main.py\n+++ b/main.py\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"
    assert found["new.py"].diff.endswith("@@ -0,0 +1 @@\n+n\n")
    assert (found["data.bin"].diff, found["data.bin"].note) == ("", "too large to show, or not text")
    assert (found["old.py"].before_bytes, found["old.py"].after_bytes) == (2, None)


def test_a_missing_newline_at_the_end_is_said(tmp_path: Path) -> None:
    before = folder_of(tmp_path / "1", {"a": "x"})
    after = folder_of(tmp_path / "2", {"a": "x\n"})
    (change,) = compare_packages(before, after).changes
    assert "\\ No newline at end of file" in change.diff


def test_line_ends_alone_are_told_in_words(tmp_path: Path) -> None:
    before = folder_of(tmp_path / "1", {"a": "x\r\n"})
    after = folder_of(tmp_path / "2", {"a": "x\n"})
    (change,) = compare_packages(before, after).changes
    assert change.note == "only its line ends or byte order mark differ"


def test_a_folder_and_its_zip_are_the_same(tmp_path: Path) -> None:
    texts = {"main.py": "x\n", "lib/a.py": "y\n"}
    (tmp_path / "p.zip").write_bytes(zip_of(texts))
    with open_package(tmp_path / "p.zip", PackageLimits()) as zipped:
        assert compare_packages(folder_of(tmp_path / "f", texts), zipped).changes == ()


@pytest.mark.timeout(60)  # difflib alone would take hours for this
def test_hostile_texts_are_bounded(tmp_path: Path) -> None:
    before = {f"{n}.txt": "".join(f"{k % 97}\n" for k in range(1990)) for n in range(60)}
    after = {name: "".join(f"{k % 89}\n" for k in range(1990)) for name in before}
    comparison = compare_packages(folder_of(tmp_path / "1", before), folder_of(tmp_path / "2", after))
    assert len(comparison.changes) == 60
    assert comparison.changes[0].diff
    assert comparison.changes[-1].note == "not shown: there are too many changes"


def test_a_long_list_of_changes_says_that_it_is_cut(tmp_path: Path) -> None:
    before = folder_of(tmp_path / "1", {"a": ""})
    after = folder_of(tmp_path / "2", {f"{n}": "" for n in range(2001)})
    comparison = compare_packages(before, after)
    assert not comparison.complete
    assert len(comparison.changes) == 2000
