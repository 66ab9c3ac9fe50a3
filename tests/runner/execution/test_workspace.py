"""Paths of an attempt's folder."""

import os
from pathlib import Path

import pytest

from controlroom.runner.execution.errors import PackageUnusable
from controlroom.runner.execution.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace.at(tmp_path / "workspace")
    (made.package / "tasks").mkdir(parents=True)
    return made


@pytest.mark.parametrize(
    "relative", ["", ".", "tasks", "tasks/", "tasks/main.py", "tasks/../tasks", "..tasks"]
)
def test_paths_inside_of_the_package_are_given_as_they_are(workspace: Workspace, relative: str) -> None:
    found = workspace.within_package(relative)
    assert found == Path(os.path.normpath(workspace.package / relative))


@pytest.mark.parametrize(
    "relative", ["..", "../package-2", "../control/inputs.json", "tasks/../../artifacts", "/etc/passwd"]
)
def test_paths_that_lead_out_of_the_package_are_refused(workspace: Workspace, relative: str) -> None:
    with pytest.raises(PackageUnusable, match="outside of the package"):
        workspace.within_package(relative)


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_links_are_followed_and_may_not_lead_out(workspace: Workspace, tmp_path: Path) -> None:
    (workspace.package / "in").symlink_to("tasks")
    (workspace.package / "out").symlink_to(tmp_path)
    assert workspace.within_package("in/main.py") == workspace.package / "tasks" / "main.py"
    for relative in ("out", "out/main.py", "in/../out/main.py"):
        with pytest.raises(PackageUnusable, match="outside of the package"):
            workspace.within_package(relative)


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_package_folder_that_is_a_link_holds_what_it_leads_to(workspace: Workspace, tmp_path: Path) -> None:
    moved = workspace.package.rename(tmp_path / "moved")
    workspace.package.symlink_to(moved)
    assert workspace.within_package("tasks") == moved / "tasks"
