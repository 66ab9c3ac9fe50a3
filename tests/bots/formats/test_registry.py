import pytest

from bots.conftest import MakePackage
from controlroom.bots.errors import UnknownFormat
from controlroom.bots.formats import formats, read_package


def test_every_module_with_a_format_is_found_in_its_order() -> None:
    assert [known.name for known in formats()] == [
        "rcc",
        "sema4",
        "pyproject",
        "pep723",
        "robotframework",
        "requirements",
    ]


def test_what_no_format_knows_is_told_what_would_be_known(package: MakePackage) -> None:
    with pytest.raises(UnknownFormat) as refused:
        read_package(package({"README.md": "# hello"}))
    for known in formats():
        assert known.name in refused.value.detail
