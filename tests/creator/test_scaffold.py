"""Beginning a bot."""

from pathlib import Path

import pytest

from controlroom.creator.scaffold import FolderNotEmpty, begin_bot, module_name, template_names
from controlroom.creator.trial import read_source
from controlroom.foundation.errors import Invalid


@pytest.mark.parametrize("template", template_names())
def test_what_is_begun_can_be_published_as_it_is(template: str, tmp_path: Path) -> None:
    folder = tmp_path / "monthly-report"
    names = begin_bot(folder, template)
    assert all((folder / name).is_file() for name in names)
    _, packed, report = read_source(folder, tmp_path)
    assert report.errors == ()
    assert [finding.message for finding in report.warnings] == []
    assert report.manifest is not None
    assert report.manifest.name == "monthly-report"
    assert len(packed.names) == len(names)


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(FolderNotEmpty, match="holds something"):
        begin_bot(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_an_unknown_template_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="pep723"):
        begin_bot(tmp_path / "new", "cobol")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("name", "module"), [("Büro-Liste", "buro_liste"), ("2024 report", "bot_2024_report"), ("a.b", "a_b")]
)
def test_a_module_is_named_so_that_python_can_import_it(name: str, module: str) -> None:
    assert module_name(name) == module
    assert module.isidentifier()
