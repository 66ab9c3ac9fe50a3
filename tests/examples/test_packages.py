"""Every example is a package that can be published as it is."""

from pathlib import Path

import pytest

from controlroom.bots.inputs import check_inputs
from controlroom.creator.trial import read_source

EXAMPLES = Path(__file__).parents[2] / "examples"
FORMATS = {"reconcile-orders": "pyproject", "screenshot-report": "pep723", "robot-suite": "robotframework"}


@pytest.mark.parametrize("name", FORMATS)
def test_example_is_published_without_a_warning(name: str, tmp_path: Path) -> None:
    _, packed, report = read_source(EXAMPLES / name, tmp_path)

    assert report.findings == ()
    assert report.manifest is not None
    assert report.manifest.format == FORMATS[name]
    assert report.manifest.description
    assert check_inputs(report.manifest.inputs_of(), {})
    assert packed.facts.size_bytes < 250_000
    assert not [path for path in packed.names if path.startswith(("output/", "make_data"))]
