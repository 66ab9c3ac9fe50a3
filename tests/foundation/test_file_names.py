"""Names that people's files have, and the ones under which they lie safely in one folder."""

import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.foundation.file_names import LONGEST_NAME, name_problem, safe_names

ODD = st.sampled_from(
    ["..", ".", "", "/", "../../etc/passwd", "..\\..\\x", "C:\\x.txt", "con", "NUL.txt", "aux.tar.gz", "a.", "a ", " a",
     "A.TXT", "a.txt", "a-2.txt", "e\u0301.txt", "\u00e9.txt", "\x00", "a\nb", ".hidden", "x" * 300 + ".pdf", "lpt1.csv",
     "\u202egpj.exe", "\ud800", "conin$", "ſ.txt", "S.txt"]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(ODD | st.text(max_size=300), max_size=12))
def test_files_of_any_names_lie_in_one_folder_and_nowhere_else(names: list[str]) -> None:
    safe = safe_names(names)
    assert len(safe) == len(names)
    keys = {unicodedata.normalize("NFC", name).casefold() for name in safe}
    assert len(keys) == len(names), "two names are one where case does not count"
    with tempfile.TemporaryDirectory() as folder:
        for name in safe:
            path = Path(folder) / name
            assert path.parent == Path(folder)
            path.touch(exist_ok=False)
            assert path.resolve().parent == Path(folder).resolve()
        assert sorted(each.name for each in Path(folder).iterdir()) == sorted(safe)
    for name in safe:
        assert len(name.encode()) <= 170
        assert not set(name) & set('/\\<>:"|?*\0')
        assert name.isprintable()
        assert name[-1] not in ". "
        assert name.partition(".")[0].lower() not in ("con", "prn", "aux", "nul", "com1", "lpt1")


def test_usual_names_stay_as_they_are() -> None:
    names = ["invoice 4711.pdf", "Übersicht (neu).xlsx", "archive.tar.gz", ".env"]
    assert safe_names(names) == names


def test_the_second_of_two_names_is_counted() -> None:
    assert safe_names(["a.pdf", "A.pdf", "a.pdf", "a"]) == ["a.pdf", "A-2.pdf", "a-3.pdf", "a"]


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", "a/b", "a\\b", "a\nb", "a\0", "x" * (LONGEST_NAME + 1), "\ud800"]
)
def test_what_is_no_plain_name_is_refused(name: str) -> None:
    assert name_problem(name)


@pytest.mark.parametrize("name", ["report 10:30.pdf", "what?.txt", "con", "Übersicht.xlsx", ".env"])
def test_what_some_system_calls_a_file_is_taken(name: str) -> None:
    assert name_problem(name) == ""
