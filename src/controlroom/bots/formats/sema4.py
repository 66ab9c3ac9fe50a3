"""Action packages of Sema4 (github.com/Sema4AI/actions): ``package.yaml`` v1 and v2, ``@action`` and ``@task``."""

import re
from collections.abc import Sequence

from controlroom.bots.declaration import Declaration, declaration_of
from controlroom.bots.dependencies import conda_needs, requirement_text, requires
from controlroom.bots.documents import read_yaml
from controlroom.bots.entries import Layout, whole_manifest
from controlroom.bots.errors import shown
from controlroom.bots.files import PackageFiles
from controlroom.bots.manifest import Manifest, Task
from controlroom.bots.source import TaskFunction, task_functions
from controlroom.bots.table import Table
from controlroom.protocol.plan import EnvironmentKind, EnvironmentSpec, Launch, LaunchKind

FILE = "package.yaml"
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_SPEC_VERSIONS = ("v1", "v2")
_PYPI = re.compile(r"([A-Za-z0-9][\w.-]*(?:\[[\w., -]+\])?)\s*(?:(=|==)\s*([\w.!+*-]+))?")
_MODULES = {"action": ("sema4ai.actions", "-a"), "task": ("robocorp.tasks", "-t")}
_OLD_ACTIONS = "robocorp-actions"
_ARTIFACTS = "output"
_WITH_INPUTS = (
    "import os, runpy, sys;"
    "sys.argv[2:] += ['--json-input', os.environ['CONTROLROOM_INPUTS']];"
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)
"""Runs the framework's own command with the file of the run's inputs, whose place is known only on the runner."""


class Sema4Format:
    """Reads an action package; each ``@action`` and ``@task`` function is a task, its parameters the inputs."""

    name = "sema4"
    title = "Action package"
    order = 20
    sign = f"{FILE} with dependencies on conda-forge and pypi"

    def read(self, files: PackageFiles) -> Manifest | None:
        """Return the package's manifest, None where there is no ``package.yaml`` of this kind."""
        table = _package(files)
        if table is None:
            return None
        table.choice("spec-version", "v1", _SPEC_VERSIONS)
        version = table.text("version")
        if not _VERSION.fullmatch(version):
            raise table.refusal("version", f"must be three numbers such as \"1.0.0\", not '{shown(version)}'")
        declared = declaration_of(files)
        environment = _environment(table)
        python_path = table.inner_paths("pythonpath") or (".",)
        functions = task_functions(files, tuple(_MODULES))
        tasks = _tasks(functions, declared, python_path, _modules(environment))
        if not tasks:
            raise table.refusal(
                "", "there is no function with @action or @task in the package's Python files"
            )
        layout = Layout(
            self.name,
            environment,
            python_path,
            name=table.text("name"),
            description=table.text("description"),
        )
        return whole_manifest(files, declared, layout, tasks)

    def exclusions(self, files: PackageFiles) -> Sequence[str] | None:
        """Return ``packaging.exclude``, whose patterns count from the package's own folder."""
        table = _package(files)
        packaging = table.table("packaging") if table else None
        if packaging is None:
            return None
        return [f"/{pattern.removeprefix('./').lstrip('/')}" for pattern in packaging.texts("exclude")]


def _package(files: PackageFiles) -> Table | None:
    """Return the file's table; other products have a ``package.yaml`` too, but not these dependencies."""
    if not files.is_file(FILE):
        return None
    table = Table(FILE, "", read_yaml(files, FILE))
    dependencies = table.values.get("dependencies")
    ours = isinstance(dependencies, dict) and {"conda-forge", "pypi"} & set(dependencies)
    return table if ours or table.has("spec-version") else None


def _environment(table: Table) -> EnvironmentSpec:
    dependencies = table.table("dependencies")
    if dependencies is None:
        raise table.refusal(
            "dependencies", "is missing; it names at least the Python version under conda-forge"
        )
    needs = conda_needs(dependencies.texts("conda-forge"), FILE, "dependencies.conda-forge")
    wanted = [_pypi(dependencies, text) for text in dependencies.texts("pypi")]
    return EnvironmentSpec(
        EnvironmentKind.REQUIREMENTS,
        needs.python,
        tuple(dict.fromkeys(wanted)),
        post_install=table.texts("post-install"),
    )


def _pypi(dependencies: Table, text: str) -> str:
    match = _PYPI.fullmatch(text)
    if match is None:
        raise dependencies.refusal("pypi", f"'{shown(text)}' must have the form name=version")
    pinned = f"=={match[3]}" if match[3] else ""
    return requirement_text(f"{match[1]}{pinned}", FILE, "dependencies.pypi")


def _modules(environment: EnvironmentSpec) -> dict[str, tuple[str, str]]:
    if requires(environment, _OLD_ACTIONS) and not requires(environment, "sema4ai-actions"):
        return {**_MODULES, "action": ("robocorp.actions", "-a")}
    return _MODULES


def _tasks(
    functions: Sequence[TaskFunction],
    declared: Declaration,
    python_path: tuple[str, ...],
    modules: dict[str, tuple[str, str]],
) -> dict[str, Task]:
    tasks: dict[str, Task] = {}
    for function in functions:
        if function.name in tasks:
            raise Table(function.file, "", {}).refusal(
                function.name, "is the name of another task of the package too; names of tasks are their own"
            )
        module, flag = modules[function.decorator]
        arguments = ("run", function.file, flag, function.name, "-o", _ARTIFACTS)
        takes_inputs = bool(function.inputs["properties"])
        start = ("-c", _WITH_INPUTS, module) if takes_inputs else ("-m", module)
        launch = Launch(
            LaunchKind.COMMAND,
            arguments=("{python}", *start, *arguments),
            python_path=python_path,
            artifacts_folder=declared.artifacts or _ARTIFACTS,
            warm=False,
        )
        inputs = None if declared.inputs else function.inputs
        tasks[function.name] = Task(function.name, launch, function.description, inputs)
    if declared.tasks or (declared.task and declared.task not in tasks):
        raise declared.table.refusal(
            "task", f"must name a function with @action or @task: {', '.join(tasks)}"
        )
    return tasks


FORMAT = Sema4Format()
