"""Robots of rcc (github.com/robocorp/rcc): ``robot.yaml`` and ``conda.yaml``, as their documents and tools read them."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from controlroom.bots.declaration import Declaration, declaration_of
from controlroom.bots.dependencies import conda_needs
from controlroom.bots.documents import read_yaml
from controlroom.bots.entries import Layout, python_command, whole_manifest
from controlroom.bots.errors import shown
from controlroom.bots.files import PackageFiles, read_text
from controlroom.bots.manifest import Manifest, PlatformVariant, Task
from controlroom.bots.table import Table
from controlroom.protocol.plan import EnvironmentKind, EnvironmentSpec, Launch, LaunchKind

FILE = "robot.yaml"
KEYS = (
    "tasks", "devTasks", "condaConfigFile", "environmentConfigs", "preRunScripts", "artifactsDir", "ignoreFiles",
    "PATH", "PYTHONPATH", "name", "description",
)  # fmt: skip
_CONDA_KEYS = ("name", "channels", "dependencies", "rccPostInstall")
_SYSTEM = re.compile(r"windows|darwin|linux", re.IGNORECASE)
_MACHINE = re.compile(r"amd64|arm64", re.IGNORECASE)
MACHINES = tuple(
    (system, machine) for system in ("linux", "windows", "darwin") for machine in ("amd64", "arm64")
)
"""Kinds of machines that the formats' words tell apart; the first is the one that a plain manifest describes."""
_DEFAULT_ARTIFACTS = "output"


class RccFormat:
    """Reads a robot; its ``devTasks`` are the author's own and never offered."""

    name = "rcc"
    title = "Robot (robot.yaml)"
    order = 10
    sign = f"{FILE} with conda.yaml"

    def read(self, files: PackageFiles) -> Manifest | None:
        """Return the robot's manifest, None where there is no ``robot.yaml``."""
        if not files.is_file(FILE):
            return None
        table = Table(FILE, "", read_yaml(files, FILE))
        table.refuse_unknown(KEYS)
        self.exclusions(files)
        declared = declaration_of(files)
        artifacts = declared.artifacts or table.inner_path("artifactsDir", _DEFAULT_ARTIFACTS)
        on_machines = {machine: _on_machine(files, table, *machine) for machine in MACHINES}
        if all(found.environment is None for found in on_machines.values()):
            raise table.refusal("environmentConfigs", "names no file that is in the package")
        usual = on_machines[MACHINES[0]]
        tasks = {
            name: Task(name, _launch(table, command, artifacts, usual.pre_run))
            for name, command in _commands(table, artifacts).items()
        }
        layout = Layout(
            self.name, usual.environment, (), name=table.text("name"), description=table.text("description")
        )
        manifest = whole_manifest(files, _chosen(declared, tasks), layout, tasks)
        variants = tuple(found.as_variant() for found in on_machines.values() if found.differs_from(usual))
        return msgspec.structs.replace(manifest, variants=variants)

    def exclusions(self, files: PackageFiles) -> Sequence[str] | None:
        """Return the lines of the ``ignoreFiles``, which must all be there."""
        table = Table(FILE, "", read_yaml(files, FILE)) if files.is_file(FILE) else None
        if table is None or not table.has("ignoreFiles"):
            return None
        lines: list[str] = []
        for path in table.inner_paths("ignoreFiles"):
            if not files.is_file(path):
                raise table.refusal("ignoreFiles", f"names '{shown(path)}', which is not in the package")
            lines += read_text(files, path).split("\n")
        return lines


def _chosen(declared: Declaration, tasks: Mapping[str, Task]) -> Declaration:
    if declared.tasks or (declared.task and declared.task not in tasks):
        key = "tasks" if declared.tasks else "task"
        raise declared.table.refusal(key, f"must name a task of {FILE}: {', '.join(tasks)}")
    return declared


@dataclass(frozen=True, slots=True)
class _Machine:
    """What a robot says for one kind of machine."""

    system: str
    machine: str
    environment: EnvironmentSpec | None
    pre_run: tuple[tuple[str, ...], ...]

    def differs_from(self, other: "_Machine") -> bool:
        return (self.environment, self.pre_run) != (other.environment, other.pre_run)

    def as_variant(self) -> PlatformVariant:
        return PlatformVariant(self.system, self.machine, self.environment, self.pre_run)


def _on_machine(files: PackageFiles, table: Table, system: str, machine: str) -> _Machine:
    scripts = []
    for text in table.texts("preRunScripts"):
        words = _split(table, "preRunScripts", text)
        if fits(words[0], system, machine):
            scripts.append(python_command(words))
    return _Machine(system, machine, _environment(files, table, system, machine), tuple(scripts))


def fits(name: str, system: str, machine: str) -> bool:
    """Say whether a file's name speaks of this kind of machine, or of none in particular."""
    words = ((_SYSTEM.search(name), system), (_MACHINE.search(name), machine))
    return all(found is None or found[0] == wanted for found, wanted in words)


def environment_file(files: PackageFiles, table: Table, system: str, machine: str) -> str:
    """Return the file that describes the environment on a kind of machine; empty where none does.

    The first of ``environmentConfigs`` that is there and fits counts; a frozen one, or one with more than two ``_``,
    must name system and machine together, as in ``environment_linux_amd64_freeze.yaml``.
    """
    for path in table.inner_paths("environmentConfigs"):
        particular = path.count("_") > 2 or "freeze" in path.lower()
        if particular and f"{system}_{machine}" not in path:
            continue
        if fits(path, system, machine) and files.is_file(path):
            return path
    path = table.inner_path("condaConfigFile")
    if path and not files.is_file(path):
        raise table.refusal("condaConfigFile", f"names '{shown(path)}', which is not in the package")
    return path


def _environment(files: PackageFiles, table: Table, system: str, machine: str) -> EnvironmentSpec | None:
    path = environment_file(files, table, system, machine)
    if not path:
        return None if table.texts("environmentConfigs") else EnvironmentSpec(EnvironmentKind.REQUIREMENTS)
    conda = Table(path, "", read_yaml(files, path))
    conda.refuse_unknown(_CONDA_KEYS)
    entries = conda.values.get("dependencies") or []
    if not isinstance(entries, list):
        raise conda.refusal("dependencies", "must be a list")
    needs = conda_needs(entries, path, "dependencies")
    return EnvironmentSpec(
        EnvironmentKind.REQUIREMENTS,
        needs.python,
        needs.requirements,
        post_install=conda.texts("rccPostInstall"),
    )


def _commands(table: Table, artifacts: str) -> dict[str, tuple[str, ...]]:
    tasks = table.table("tasks")
    if tasks is None or not tasks.values:
        raise table.refusal("tasks", "must name at least one task")
    return {name.strip(): _command(tasks, name, artifacts) for name in tasks.values}


def _command(tasks: Table, name: str, artifacts: str) -> tuple[str, ...]:
    task = tasks.table(name)
    forms = [key for key in ("robotTaskName", "shell", "command") if task is not None and task.has(key)]
    if task is None or len(forms) != 1:
        raise tasks.refusal(name, "needs exactly one of robotTaskName, shell and command")
    task.refuse_unknown(("robotTaskName", "shell", "command"))
    if forms == ["command"]:
        words = task.texts("command")
        if not words:
            raise task.refusal("command", "must be a list of words")
        return python_command(words)
    if forms == ["shell"]:
        return python_command(_split(task, "shell", task.text("shell")))
    title = ("--report", "NONE", "--outputdir", artifacts, "--logtitle", "Task log")
    return ("{python}", "-m", "robot", *title, "--task", task.text("robotTaskName"), ".")


def _split(table: Table, key: str, text: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(text))
    except ValueError:
        words = ()
    if not words:
        raise table.refusal(key, "must be a command on one line, its quotation marks closed")
    return words


def _launch(
    table: Table, command: tuple[str, ...], artifacts: str, pre_run: tuple[tuple[str, ...], ...]
) -> Launch:
    return Launch(
        LaunchKind.COMMAND,
        arguments=command,
        python_path=table.inner_paths("PYTHONPATH"),
        path=table.inner_paths("PATH"),
        pre_run=pre_run,
        artifacts_folder=artifacts,
        warm=False,
    )


FORMAT = RccFormat()
