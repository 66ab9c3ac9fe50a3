"""Robot Framework suites (robotframework.org), alone or beside ``requirements.txt`` or ``pyproject.toml``."""

from collections.abc import Sequence

import msgspec

from controlroom.bots.declaration import Declaration, Entry, declaration_of, section
from controlroom.bots.dependencies import PROJECT_FILE, REQUIREMENTS_FILE, project_environment, requires
from controlroom.bots.documents import read_toml
from controlroom.bots.entries import DEFAULT_TASK, Layout, whole_manifest
from controlroom.bots.errors import declaration_error, shown
from controlroom.bots.files import PackageFiles
from controlroom.bots.formats.requirements import plain_environment
from controlroom.bots.manifest import Manifest, Task
from controlroom.bots.source import python_path
from controlroom.bots.table import Table
from controlroom.protocol.plan import EnvironmentKind, EnvironmentSpec, Launch, LaunchKind

OUTPUT = "output"
_SUITE = ".robot"
_ROBOT = "robotframework"


class RobotFrameworkFormat:
    """Reads suites; a task is a suite or a folder of suites, and its exit code the number of failed tests."""

    name = "robotframework"
    title = "Robot Framework"
    order = 50
    sign = "suites of Robot Framework (*.robot)"

    def read(self, files: PackageFiles) -> Manifest | None:
        """Return the manifest of the suites, None where there are none."""
        suites = [
            name for name in files.names() if name.endswith(_SUITE) and not name.endswith("/__init__.robot")
        ]
        if not suites:
            return None
        project, own = _project(files)
        declared = declaration_of(files, own)
        environment = project_environment(files) if project else plain_environment(files, declared)
        environment = with_robot(environment, PROJECT_FILE if project else REQUIREMENTS_FILE)
        name = project.text("name") if project else ""
        layout = Layout(self.name, environment, python_path(files), name=name)
        entries = dict(declared.tasks) or {DEFAULT_TASK: Entry(run=declared.task or _whole(suites))}
        tasks = {
            name: Task(name, self._launch(files, entry, declared, layout), entry.description, entry.inputs)
            for name, entry in entries.items()
        }
        return whole_manifest(files, declared, layout, tasks)

    def exclusions(self, files: PackageFiles) -> Sequence[str] | None:
        """Let ``.gitignore`` count."""
        return None

    def _launch(self, files: PackageFiles, entry: Entry, declared: Declaration, layout: Layout) -> Launch:
        folder = declared.artifacts or OUTPUT
        path = declared.table.as_inner_path("task", entry.run) if entry.run else ""
        inside = "" if path == "." else f"{path}/"
        if path and not files.is_file(path) and not any(name.startswith(inside) for name in files.names()):
            raise declared.table.refusal(
                "task", f"names '{shown(path)}', which is no suite or folder of the package"
            )
        robot = ("-m", "robot", "--outputdir", folder, *entry.arguments, path)
        command = entry.command or ("{python}", *robot)
        return Launch(
            LaunchKind.COMMAND,
            arguments=command,
            python_path=layout.python_path,
            artifacts_folder=folder,
            warm=False,
        )


def with_robot(environment: EnvironmentSpec, file: str) -> EnvironmentSpec:
    """Return the environment with Robot Framework in it; raise where a lock or hashes leave no room for it."""
    if requires(environment, _ROBOT):
        return environment
    if environment.kind is EnvironmentKind.LOCKED_PROJECT or environment.files:
        raise declaration_error(file, "", f"must name {_ROBOT}: nothing is added to a locked environment")
    return msgspec.structs.replace(environment, requirements=(*environment.requirements, _ROBOT))


def _project(files: PackageFiles) -> tuple[Table | None, Table | None]:
    if not files.is_file(PROJECT_FILE):
        return None, None
    document = read_toml(files, PROJECT_FILE)
    return section(PROJECT_FILE, document, "project"), section(PROJECT_FILE, document, "tool", "controlroom")


def _whole(suites: Sequence[str]) -> str:
    """Return what runs all suites: the only one, the one folder that holds them all, or the whole package."""
    if len(suites) == 1:
        return suites[0]
    tops = {name.partition("/")[0] for name in suites}
    return tops.pop() if len(tops) == 1 else "."


FORMAT = RobotFrameworkFormat()
