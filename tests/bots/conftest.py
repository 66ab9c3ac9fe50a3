"""Fixtures of the bots' tests."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bots.building import folder_of
from controlroom.bots.files import FolderFiles

MakePackage = Callable[..., FolderFiles]


@pytest.fixture
def package(tmp_path: Path) -> MakePackage:
    """Write a folder from texts and give its files."""

    def make(texts: Mapping[str, str | bytes]) -> FolderFiles:
        return folder_of(tmp_path / "package", texts)

    return make
