"""A project with a ``pyproject.toml`` (packaging.python.org: pyproject.toml specification), with or without ``uv.lock``."""

from collections.abc import Sequence

from controlroom.bots.declaration import declaration_of, section
from controlroom.bots.dependencies import PROJECT_FILE, project_environment
from controlroom.bots.documents import read_toml
from controlroom.bots.entries import MAIN, Layout, manifest_of_entries
from controlroom.bots.files import PackageFiles
from controlroom.bots.manifest import Manifest
from controlroom.bots.source import python_path
from controlroom.bots.table import Table


class ProjectFormat:
    """Reads a package whose ``pyproject.toml`` describes a project or a bot, and does not only set up some tool."""

    name = "pyproject"
    title = "Python project"
    order = 30
    sign = f"{PROJECT_FILE} with [project] or [tool.controlroom]"

    def read(self, files: PackageFiles) -> Manifest | None:
        """Return the project's manifest; None for a file without a project, or for Robot Framework suites with one."""
        if not files.is_file(PROJECT_FILE):
            return None
        document = read_toml(files, PROJECT_FILE)
        project = section(PROJECT_FILE, document, "project")
        own = section(PROJECT_FILE, document, "tool", "controlroom")
        if project is None and own is None:
            return None
        declared = declaration_of(files, own)
        if declared.python:
            raise declared.table.refusal(
                "python", f"stands in {PROJECT_FILE} as project.requires-python; leave it out"
            )
        project = project or Table(PROJECT_FILE, "project", {})
        entry = _entry(files, project)
        if not (entry or declared.task or declared.tasks) and any(
            name.endswith(".robot") for name in files.names()
        ):
            return None
        if declared.task.endswith(".robot"):
            return None
        layout = Layout(
            self.name,
            project_environment(files),
            python_path(files),
            entry,
            project.text("name"),
            project.text("description"),
        )
        return manifest_of_entries(files, declared, layout)

    def exclusions(self, files: PackageFiles) -> Sequence[str] | None:
        """Let ``.gitignore`` count."""
        return None


def _entry(files: PackageFiles, project: Table) -> str:
    """Return what runs where nothing is declared: the only script of the project, or ``main.py``."""
    scripts = project.table("scripts")
    if scripts and len(scripts.values) == 1:
        return scripts.text(next(iter(scripts.values))).partition("[")[0].strip()
    return MAIN if files.is_file(MAIN) else ""


FORMAT = ProjectFormat()
